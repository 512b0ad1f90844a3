"""A Messages request, read field by field into a conversation."""
