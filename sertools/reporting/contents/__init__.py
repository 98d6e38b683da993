"""What a file is, what it holds and where it comes from, and the commands that made it."""
