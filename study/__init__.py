"""How: the study of hybrid batch sampling, from a search space to a report."""
