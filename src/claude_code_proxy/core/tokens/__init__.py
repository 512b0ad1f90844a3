"""How many tokens a request has, without a tokenizer: features, an estimate, and what models taught."""
