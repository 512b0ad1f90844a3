"""The conformance suite: what an upstream can do wrong, and whether a gateway stays honest about it.

`python -m claude_code_proxy.conformance --help` runs it against any gateway that serves the Messages API
in front of an upstream that speaks Chat Completions; docs/conformance.md explains it and shows results.
"""
