"""Base class of errors that the user can fix; each message says how."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input: names the key, the value, what is allowed and what to do. Commands print it and exit with 2."""
