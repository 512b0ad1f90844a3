"""`ccproxy doctor`: checks and what to do about what they find."""
