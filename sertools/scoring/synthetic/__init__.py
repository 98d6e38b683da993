"""Are generated rows any good: distances, copies, variety, texture, usefulness, and a verdict in words."""
