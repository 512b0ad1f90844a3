"""Providers on the network, one per file."""
