"""What a family of models needs wherever it is served, one family per file."""
