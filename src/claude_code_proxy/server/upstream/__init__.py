"""One request on its way to a provider: connections, time limits, failures."""
