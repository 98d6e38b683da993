"""What `report` and `score` show: tables in every format, and pages."""
