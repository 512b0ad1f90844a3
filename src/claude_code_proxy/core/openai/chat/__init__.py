"""The OpenAI Chat Completions format: turns to a request body, chunks or a whole answer to deltas."""
