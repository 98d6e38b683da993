"""Stores, results and training logs for other tools."""
