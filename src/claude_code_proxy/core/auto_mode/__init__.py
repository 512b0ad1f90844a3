"""Whether the tool calls of an answer may run: what a judge is asked, and what its verdicts become."""
