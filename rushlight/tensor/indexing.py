"""Placeholder until the indexing engineer's version lands."""
