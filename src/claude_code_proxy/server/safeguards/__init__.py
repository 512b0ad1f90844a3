"""Auto mode: the proxy asks a model whether the tool calls of an answer may run."""
