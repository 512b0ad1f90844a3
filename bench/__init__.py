"""The benchmark: the proxy beside its peers, in one run, on one machine. `python -m bench --help`."""
