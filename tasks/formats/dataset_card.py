"""Which files of a data set of the Hugging Face hub hold what, as its card (`README.md`) says.

The card begins with YAML; MTEB's has a configuration per part, or per language and part:

    configs:
    - config_name: ar-corpus
      data_files:
      - split: test
        path: ar-corpus/test-*

The configurations are `corpus`, `queries` (or `query`) and `qrels` (or `default`), with a language before or after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tasks.data.languages import named_language
from tasks.formats.layouts import WORDS, DataFile, Part
from tasks.plugins import TaskError

CARD = "README.md"
_INSTRUCTIONS = ("instruction", "instructions")


def declared_files(folder: Path) -> list[DataFile]:
    """Return what the card declares, with patterns relative to the folder as paths; nothing without a card.

    Raises:
        TaskError: the data set has instructions for its queries, which are not read here.
    """
    declared: list[DataFile] = []
    configs = _header(folder / CARD).get("configs")
    for config in (config for config in configs or [] if isinstance(config, dict)):
        name = str(config.get("config_name", "default"))
        if any(word in _INSTRUCTIONS for word in name.split("-")):
            raise TaskError(f"{folder} has instructions for its queries (configuration '{name}'), which are not read")
        part, language = _part_and_language(name)
        for split, pattern in _patterns(config.get("data_files")):
            own = WORDS.get(split, part) if name == "default" else part  # C-MTEB: splits `corpus` and `queries`
            if own:
                declared.append(DataFile(own, language, "" if split in WORDS else split, Path(pattern)))
    return declared


def present_files(folder: Path, declared: list[DataFile]) -> list[DataFile]:
    """Return the files in the folder that match what is declared.

    Raises:
        TaskError: nothing matches one of the patterns.
    """
    files = []
    for part, language, split, pattern in declared:
        matching = sorted(folder.glob(pattern.as_posix()))
        if not matching:
            raise TaskError(
                f"{folder} has no file {pattern}, which its {CARD} names: bring it, or choose other languages"
            )
        files += [DataFile(part, language, split, path) for path in matching]
    return files


def card_language(folder: Path) -> str | None:
    """Return the language of the data set if its card names exactly one, and not `multilingual` or the like."""
    language = _header(folder / CARD).get("language")
    languages = [language] if isinstance(language, str) else language or []
    return str(languages[0]) if len(languages) == 1 and named_language(str(languages[0])) else None


def _header(card: Path) -> dict[str, Any]:
    """Return the YAML at the beginning of a card; nothing without a card."""
    if not card.is_file():
        return {}
    match = re.match(r"---\s*\n(.*?)\n---\s*(\n|\Z)", card.read_text("utf-8", errors="replace"), re.DOTALL)
    try:
        header = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError:
        raise TaskError(f"the YAML at the beginning of {card} is malformed: correct it, or remove the card") from None
    return header if isinstance(header, dict) else {}


def _part_and_language(name: str) -> tuple[Part | None, str]:
    """Return what a configuration holds and for which language, such as `ar-corpus`, `corpus-ar` or `corpus`."""
    words = WORDS | {"default": "qrels"}
    if name in words:
        return words[name], ""
    before, _, last = name.rpartition("-")
    first, _, after = name.partition("-")
    if last in words:
        return words[last], before
    return (words[first], after) if first in words else (None, "")


def _patterns(data_files: Any) -> Iterator[tuple[str, str]]:
    """Yield the split and pattern of each entry, in any of the forms that the hub's documentation allows."""
    if isinstance(data_files, str):
        yield "", data_files
    elif isinstance(data_files, dict) and "path" not in data_files:
        for split, paths in data_files.items():
            yield from _patterns({"split": split, "path": paths})
    elif isinstance(data_files, dict):
        paths = data_files["path"]
        for path in [paths] if isinstance(paths, str) else paths:
            yield str(data_files.get("split", "")), path
    else:
        for entry in data_files or []:
            yield from _patterns(entry)
