"""Folders and files a search space names, made absolute: workers run elsewhere, and so may who resumes the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PATH, BACKBONE = "path", "backbone"


def absolute_paths(value: Any, key: str = "") -> Any:
    """Return plain data with every `path`, and every `backbone` that is a folder here, made absolute.

    Args:
        value: what a YAML file holds, or a part of it.
        key: the key under which `value` stands, or the nearest above it that is `path` or `backbone`.
    """
    if isinstance(value, dict):
        return {name: absolute_paths(inner, name if name in {PATH, BACKBONE} else key) for name, inner in value.items()}
    if isinstance(value, list):
        return [absolute_paths(inner, key) for inner in value]
    is_path = isinstance(value, str) and "://" not in value and (key == PATH or (key == BACKBONE and _is_folder(value)))
    return str(Path(value).expanduser().resolve()) if is_path else value


def _is_folder(name: str) -> bool:
    return Path(name).expanduser().is_dir()
