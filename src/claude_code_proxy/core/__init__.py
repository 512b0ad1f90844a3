"""Pure conversion between the Anthropic Messages API and other wire formats.

No I/O, no async, no clock, no randomness, no environment: ids, times and settings are arguments.
"""
