"""Reading data: caches, downloads, records, text tables."""
