"""From deltas to the events and the message that an Anthropic client gets."""
