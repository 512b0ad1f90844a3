"""Everything that waits: the HTTP server, the upstream client, limits, statistics."""
