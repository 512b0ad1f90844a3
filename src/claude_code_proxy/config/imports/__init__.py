"""Configurations of other programs, read as providers of cc-proxy.json."""
