"""A summary in place of a conversation: who asks for one, how it is written, and what the client gets."""
