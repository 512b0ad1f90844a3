"""The command `ccproxy`."""
