"""The client's side of a request: its body, its keys, and the response to it."""
