"""The spectrogram store: one kind of HDF5 file that flows between all tools (``docs/store-format.md``)."""
