"""What a process keeps to save time; each part has a bound."""
