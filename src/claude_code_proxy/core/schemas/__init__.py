"""JSON Schemas of tools and answers, brought to what a provider takes."""
