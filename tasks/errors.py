"""The one base of everything that is the user's to mend: each is one sentence that says what to do."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input: names the key, the value, what is allowed and what to do. Doors print it and exit with 2."""
