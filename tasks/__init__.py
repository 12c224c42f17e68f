"""Benchmarks, training corpora and metrics. Imports neither torch, Ray nor `study`."""
