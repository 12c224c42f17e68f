"""The encoder: backbone, pooling, prompts, adapters, and its folder on disk. Imports neither Ray nor Optuna."""
