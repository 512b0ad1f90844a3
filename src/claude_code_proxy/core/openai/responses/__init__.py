"""The OpenAI Responses format: turns to a request body, events or a whole answer to deltas."""
