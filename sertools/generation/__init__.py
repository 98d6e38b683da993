"""From a trained generator to rows: drawn, or moved from other classes (§2.2)."""
