"""Context management: what a request asks to be done to its own conversation before the model reads it."""
