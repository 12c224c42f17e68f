"""Benchmarks, one module each: the name in a search space is the name of the module."""
