"""The version of the package, below everything that writes it down."""

__version__ = "1.0.0"
