"""The files of a study: where they are, how they are read and written. Imports neither torch, Ray nor Optuna."""
