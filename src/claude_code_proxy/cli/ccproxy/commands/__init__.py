"""The commands of `ccproxy` that do not start a session."""
