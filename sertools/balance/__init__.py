"""How classes are balanced: Table 1 as data, plans as pure arithmetic, rows as the result."""
