"""How good is it: metrics, intervals, result files, tables and pictures. Trains nothing."""
