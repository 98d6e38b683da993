"""Tables, pages and pictures of files: what `report`, `plot` and `info` show."""
