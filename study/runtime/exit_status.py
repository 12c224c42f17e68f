"""Exit statuses of `study.run` besides 0, all trials ended well, and 2, the input is refused. Imports nothing."""

from __future__ import annotations

FAILED = 3
"""A trial failed, as it diverged or its values are not allowed together."""
UNFINISHED = 4
"""Unfinished; continue with --resume."""
