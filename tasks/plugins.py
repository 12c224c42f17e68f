"""A name in a search space is a module: find it, check its options, call its `load`.

A module may have a function `check`, which takes the options of `load` and refuses those that do not go together.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pydantic

import tasks.benchmarks
import tasks.corpora
from tasks.errors import UserError
from tasks.schema import Benchmark, Corpus


class TaskError(UserError):
    """Bad input to a benchmark or corpus, in one sentence that says what to do."""

    resumable = True


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """Return `did you mean X?` for the closest known name, else the list of what is allowed."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(known)}"


def benchmark_names() -> list[str]:
    """Return every benchmark's name."""
    return _modules(tasks.benchmarks)


def corpus_names() -> list[str]:
    """Return every training corpus's name."""
    return _modules(tasks.corpora)


def check_benchmark(name: str, options: Mapping[str, Any]) -> None:
    """Refuse an unknown benchmark or option without reading any data.

    Raises:
        TaskError: naming the value, what is allowed, and the nearest match.
    """
    _checked("benchmark", tasks.benchmarks, name, options)


def option_names(name: str) -> list[str]:
    """Return the names of a benchmark's options.

    Raises:
        TaskError: an unknown benchmark.
    """
    return list(inspect.signature(_load("benchmark", tasks.benchmarks, name)).parameters)


def check_corpus(name: str, options: Mapping[str, Any]) -> None:
    """Refuse an unknown corpus or option without reading any data.

    Raises:
        TaskError: naming the value, what is allowed, and the nearest match.
    """
    _checked("corpus", tasks.corpora, name, options)


def load_benchmark(name: str, options: Mapping[str, Any]) -> Benchmark:
    """Read a benchmark: `tasks.benchmarks.<name>.load(**options)`."""
    load, checked = _checked("benchmark", tasks.benchmarks, name, options)
    loaded: Benchmark = load(**checked)
    return loaded


def load_corpus(name: str, options: Mapping[str, Any]) -> Corpus:
    """Read a corpus: `tasks.corpora.<name>.load(**options)`."""
    load, checked = _checked("corpus", tasks.corpora, name, options)
    loaded: Corpus = load(**checked)
    return loaded


def is_local(name: str, options: Mapping[str, Any]) -> bool:
    """Return whether a corpus needs no download: it is made here, or `path` says where it lies."""
    load, _ = _checked("corpus", tasks.corpora, name, options)
    return "path" not in inspect.signature(load).parameters or options.get("path") is not None


def benchmark_is_local(name: str, options: Mapping[str, Any]) -> bool:
    """Return whether a benchmark needs no download: it is made here, or `path` says where it lies."""
    load, checked = _checked("benchmark", tasks.benchmarks, name, options)
    if "corpus" in checked:  # rows of a corpus that are held out
        corpus = {key: value for key, value in checked["corpus"].items() if key not in {"name", "held_out", "weight"}}
        return is_local(str(checked["corpus"].get("name")), corpus)
    return "path" not in inspect.signature(load).parameters or options.get("path") is not None


def _modules(package: ModuleType) -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__))


def _load(kind: str, package: ModuleType, name: str) -> Callable[..., Any]:
    known = _modules(package)
    if name not in known:
        raise TaskError(f"unknown {kind} '{name}': {nearest(name, known)}")
    load: Callable[..., Any] = importlib.import_module(f"{package.__name__}.{name}").load
    return load


def _checked(
    kind: str, package: ModuleType, name: str, options: Mapping[str, Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    load = _load(kind, package, name)
    parameters = inspect.signature(load).parameters
    types = typing.get_type_hints(load, include_extras=True)
    checked = {}
    for option, value in options.items():
        if option not in parameters:
            raise TaskError(f"{kind} '{name}' has no option '{option}': {nearest(option, parameters)}")
        if value == []:
            raise TaskError(f"{kind} '{name}', option '{option}': the list is empty: name something, or leave it out")
        try:
            checked[option] = pydantic.TypeAdapter(types[option]).validate_python(value)
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            is_list = problem["type"] in {"tuple_type", "list_type"}
            expected = "write a list, such as [th, zh]" if is_list else problem["msg"]
            raise TaskError(f"{kind} '{name}', option '{option}': {value!r} is refused: {expected}") from None
    missing = [p.name for p in parameters.values() if p.default is p.empty and p.name not in options]
    if missing:
        raise TaskError(f"{kind} '{name}' needs the option '{missing[0]}'")
    check = getattr(sys.modules[load.__module__], "check", None)
    if check:
        check(**checked)
    return load, checked
