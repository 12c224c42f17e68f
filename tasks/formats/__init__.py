"""File formats that several benchmarks or corpora share."""
