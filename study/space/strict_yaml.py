"""From a YAML file to checked models, or to one sentence that says what is wrong.

Numbers and booleans are those of YAML 1.2: `3e-5` is a number, `no` is Norwegian. No key may be written twice.

Folders and files that a search space names are made absolute, because workers, and whoever resumes the study, may run
in another directory.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml
from pydantic_core import ErrorDetails

from study.config import backbone_folder
from study.results.files import is_local
from tasks.errors import UserError
from tasks.paths import user_path
from tasks.plugins import nearest

Model = TypeVar("Model", bound=pydantic.BaseModel)

_TAG = "tag:yaml.org,2002:"
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
"""Kinds of values in a search space. Dates are texts; binary data, sets and others are refused."""
_MOST_VALUES = 100_000
_MOST_BYTES = 2**18


class SpaceError(UserError):
    """A search space that cannot be used; names the key, the value and what is allowed."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's booleans and decimal numbers, plain values alone, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is written twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_REPLACED = {f"{_TAG}{name}" for name in ("bool", "int", "float", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: construct
    for tag, construct in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag in {f"{_TAG}{name}" for name in _PLAIN}
}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(true|false)$", re.IGNORECASE), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"[-+]?(0|[1-9]\d*)$", re.ASCII), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float", re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$", re.ASCII), list("-+.0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        SpaceError: the file cannot be read, is not YAML or no mapping, or holds or expands to too many values.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise SpaceError(f"{path} has more than {_MOST_BYTES:,} bytes: name the YAML file of a search space")
        content = _parsed(text.decode("utf-8"), path.name)
    except OSError as error:
        raise SpaceError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpaceError(f"{path.name} is not UTF-8 text") from None
    if not isinstance(content, dict):
        raise SpaceError(f"{path.name} must contain keys and values, such as 'trial:' and 'search:'")
    return content


def read_value(text: str) -> Any:
    """Return one value, written as in a search space.

    Raises:
        SpaceError: it is not YAML.
    """
    try:
        return _parsed(text, "it")
    except SpaceError as error:
        raise SpaceError(f"'{text}' is refused, as {error}: write a value such as 3, text or [th, zh]") from None


def _parsed(text: str, name: str) -> Any:
    """Return the value of a YAML text; `name` stands for it in messages.

    Raises:
        SpaceError: it is not YAML, or expands to too many values.
    """
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpaceError(f"{name}, line {line}: {error.problem}") from None
    except RecursionError:
        raise SpaceError(f"{name} is nested too deeply: no setting has that many levels") from None
    except (yaml.YAMLError, ValueError, KeyError) as error:  # KeyError: `!!bool perhaps`
        raise SpaceError(f"{name} is not YAML: {str(error).splitlines()[0]}") from None
    if _expanded_size(value, {}) > _MOST_VALUES:
        raise SpaceError(f"{name} expands to more than {_MOST_VALUES:,} values: use fewer aliases (*name)")
    return value


def _expanded_size(value: object, sizes: dict[int, float]) -> float:
    """Return how many values there are in `value` with all YAML aliases written out; infinite for one within itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in sizes:
        sizes[id(value)] = math.inf  # while its parts are counted
        parts = value.values() if isinstance(value, dict) else value
        sizes[id(value)] = 1 + sum(_expanded_size(part, sizes) for part in parts)
    return sizes[id(value)]


def checked(model: type[Model], value: object, where: str = "") -> Model:
    """Return `value` as a `model`.

    Args:
        model: what `value` must be.
        value: what was read.
        where: the keys that lead to `value`, dotted.

    Raises:
        SpaceError: with the first problem: an unknown key and its nearest match, a missing one, or a refused value.
    """
    if not isinstance(value, Mapping):
        raise SpaceError(f"{where}: {value!r} is refused: write keys and values ({', '.join(model.model_fields)})")
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise SpaceError(explain(model, error.errors(), where)) from None


def explain(model: type[pydantic.BaseModel], problems: Sequence[ErrorDetails], where: str = "") -> str:
    """Return `key.key: what is wrong` for the first problem.

    Unknown keys come first, as one of them may be a missing key with a typing error; then our own checks, which know
    more than a union's other types.
    """
    order = ("extra_forbidden", "missing", "value_error")
    problem = min(problems, key=lambda p: order.index(p["type"]) if p["type"] in order else len(order))
    path, models = _path(model, problem["loc"])
    last = str(problem["loc"][-1]) if problem["loc"] else ""
    match problem["type"]:
        case "extra_forbidden":
            sentence = f"unknown key '{last}': {_section_of(last, models) or nearest(last, _fields(models))}"
        case "missing":
            sentence = "this key is missing"
        case "value_error":
            sentence = str(problem["ctx"]["error"])
        case _:
            sentence = f"{problem['input']!r} is refused: {problem['msg'][0].lower()}{problem['msg'][1:]}"
    return ": ".join(filter(None, (".".join(filter(None, (where, *path))), sentence)))


def _path(
    model: type[pydantic.BaseModel], location: tuple[int | str, ...]
) -> tuple[list[str], list[type[pydantic.BaseModel]]]:
    """Return a location's keys, without pydantic's names for the members of a union, and the models it may lie in."""
    models, keys = [model], []
    *parents, last = location or ("",)
    for part in parents:
        inner = [m.model_fields[part].annotation for m in models if isinstance(part, str) and part in m.model_fields]
        models = [found for annotation in inner for found in models_in(annotation)] or models
        keys += [str(part)] if inner or isinstance(part, int) else []
    return keys + ([str(last)] if last in _fields(models) or isinstance(last, int) else []), models


def _fields(models: Iterable[type[pydantic.BaseModel]]) -> set[str]:
    return {field for model in models for field in model.model_fields}


def _section_of(key: str, models: Iterable[type[pydantic.BaseModel]]) -> str:
    """Return where a key belongs that stands one level too high; empty if it is not in exactly one section."""
    known = {name: field for model in models for name, field in model.model_fields.items()}
    sections = [name for name, field in known.items() if key in _fields(models_in(field.annotation))]
    return f"it belongs under '{sections[0]}'" if len(sections) == 1 else ""


def models_in(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Yield every model an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


PATH, BACKBONE = "path", "backbone"


def absolute_paths(value: Any, key: str = "", base: Path | None = None) -> Any:
    """Return plain data with every `path`, and every `backbone` that is a folder, made absolute.

    Args:
        value: what a YAML file holds, or a part of it.
        key: the key of `value`, or the nearest one above it that is `path` or `backbone`.
        base: the folder that relative paths start from; the working directory by default.
    """
    base = base or Path()
    if isinstance(value, dict):
        return {
            name: absolute_paths(inner, name if name in {PATH, BACKBONE} else key, base)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [absolute_paths(inner, key, base) for inner in value]
    if isinstance(value, str) and key == PATH and is_local(value):
        return str(user_path(base / user_path(value)).resolve())
    if isinstance(value, str) and key == BACKBONE:
        return str(backbone_folder(value, base) or value)
    return value
