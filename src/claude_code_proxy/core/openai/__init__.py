"""OpenAI's two formats: what Chat Completions and Responses share is here, the rest in one folder each."""
