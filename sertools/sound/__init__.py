"""Audio files → log-mel segments. The only room that knows librosa, and that only where it is the reference."""
