"""Where a token comes from and how it is renewed. Imports nothing of the rest of the package."""
