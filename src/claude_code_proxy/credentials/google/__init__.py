"""Credentials of Google Cloud."""
