"""Credentials of AWS: where they are, and what is made of them."""
