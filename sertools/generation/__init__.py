"""From a trained generator to rows: drawn, moved from other classes, or the best of several (§2.2)."""
