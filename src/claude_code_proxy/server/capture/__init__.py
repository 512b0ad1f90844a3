"""Whole exchanges, kept in files while somebody wants them: to look at, to run again, to make tests of."""
