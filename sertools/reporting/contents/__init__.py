"""What a file is, holds and stems from, and the commands that made it."""
