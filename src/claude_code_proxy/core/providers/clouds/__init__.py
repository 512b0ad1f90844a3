"""Providers that are reached with the login of a cloud, one per file."""
