"""What an upstream's cache of a prompt could serve, by fingerprints of the prompt's parts."""
