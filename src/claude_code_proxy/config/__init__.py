"""Configuration files, parsed once into typed objects; errors carry file, line and a hint."""
