"""Servers that people run themselves, one per file."""
