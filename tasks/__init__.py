"""What is measured: benchmarks, training corpora and metrics. Knows nothing of torch, Ray or `study`."""
