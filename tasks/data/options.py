"""The options `path` and `languages`, which mean the same for every benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tasks.paths import user_path
from tasks.plugins import TaskError, nearest


def local_folder(benchmark: str, path: Path, *published: str) -> Path:
    """Return the folder of a local copy: `path/<a published name>`, `path/<benchmark>`, or `path` itself.

    Raises:
        TaskError: `path` is not a folder.
    """
    path = user_path(path)
    for folder in (*(path / name for name in published), path / benchmark, path):
        if folder.is_dir():
            return folder
    raise TaskError(f"benchmark '{benchmark}', option 'path': there is no folder {path}")


def selected_languages(
    name: str, languages: Iterable[str] | None, known: Iterable[str], kind: str = "benchmark"
) -> tuple[str, ...]:
    """Return the languages to load, sorted; all known ones if `languages` is None.

    Args:
        name: of the benchmark or corpus, for messages.
        languages: what the user chose.
        known: what the data has.
        kind: "benchmark" or "corpus", for messages.

    Raises:
        TaskError: no language is chosen, or one that the data does not have.
    """
    known = sorted(known)
    chosen = sorted(set(known if languages is None else languages))
    if not chosen:
        raise TaskError(f"{kind} '{name}', option 'languages': name at least one of {', '.join(known)}")
    for language in chosen:
        if language not in known:
            raise TaskError(
                f"{kind} '{name}', option 'languages': there is no '{language}', {nearest(language, known)}"
            )
    return tuple(chosen)


def required_file(benchmark: str, file: Path) -> Path:
    """Return `file`.

    Raises:
        TaskError: it does not exist.
    """
    if not file.is_file():
        raise TaskError(f"benchmark '{benchmark}' needs the file {file}: put it there, or choose other `languages`")
    return file
