"""Base class of errors that the user can fix; each message says how."""

from __future__ import annotations

from typing import ClassVar


class UserError(ValueError):
    """Bad input: names the key, the value, what is allowed and what to do. Commands print it and exit with 2."""

    resumable: ClassVar[bool] = False
    """Whether a trial that it ended can be finished as it is once data, files or a machine are repaired."""


class NodeError(UserError):
    """This machine cannot do what a trial asks for; another one may."""

    resumable = True
