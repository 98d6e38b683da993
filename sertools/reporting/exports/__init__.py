"""Stores, results, training logs and classifiers for other tools."""
