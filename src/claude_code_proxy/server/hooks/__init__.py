"""The user's own functions around a request."""
