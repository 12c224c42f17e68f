"""Paths as users write them."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.errors import UserError

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
"""A URI, also one that `Path` has taken a slash from."""


def user_path(path: str | Path) -> Path:
    """Return a path with `~` replaced by the home folder; it need not exist, and may be a URI of this machine's files.

    Raises:
        UserError: it is another URI, or this machine can have no such path: a name is too long, holds a NUL, or links
            to itself, or the user whose home folder it names is unknown.
    """
    if re.match("file:/(//)?[^/]", str(path)):  # as `Path` leaves it, and as it is written
        path = "/" + str(path).removeprefix("file:").lstrip("/")
    if uri := _URI.fullmatch(str(path)):
        raise UserError(f"'{uri[1]}://{uri[2]}' is refused, as it is a URI: name a path on this machine and copy it")
    try:
        expanded = Path(path).expanduser()
        expanded.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return expanded
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"'{path}' is refused, as it can be no path on this machine ({reason}): name another") from None
    return expanded
