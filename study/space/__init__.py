"""From YAML to checked values: the search space of a study. Imports neither torch, Ray nor Optuna."""
