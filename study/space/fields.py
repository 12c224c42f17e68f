"""A trial's fields by dotted key, such as `alpha` or `validation.every`."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

import pydantic

from study.config import TrialConfig
from study.space.strict_yaml import SpaceError, explain
from tasks.plugins import nearest

Values = Mapping[str, Any]
"""Values by dotted trial field."""


def names(model: type[pydantic.BaseModel] = TrialConfig) -> Iterator[str]:
    """Yield every field of a trial, and the fields within it."""
    for name in model.model_fields:
        yield name
        if section := _section(model, name):
            yield from (f"{name}.{inner}" for inner in names(section))


def _section(model: type[pydantic.BaseModel], name: str) -> type[pydantic.BaseModel] | None:
    """Return the model of a field that is a section of settings, optional or not; None for other fields."""
    annotation = model.model_fields[name].annotation
    parts = set(typing.get_args(annotation)) - {NoneType} or {annotation}
    section = parts.pop()
    is_section = not parts and isinstance(section, type) and issubclass(section, pydantic.BaseModel)
    return section if is_section else None


NAMES = frozenset(names())


def check_value(key: str, value: Any, where: str) -> None:
    """Check a value against its field alone.

    Args:
        key: a dotted field.
        value: any plain value.
        where: the keys that lead to `key`, dotted.

    Raises:
        SpaceError: there is no such field, or it does not accept the value.
    """
    if key not in NAMES:
        raise SpaceError(f"{where}: unknown field '{key}': {nearest(key, NAMES)}")
    *parents, name = key.split(".")
    model: type[pydantic.BaseModel] = TrialConfig
    for parent in parents:
        section = _section(model, parent)
        assert section is not None
        model = section
    try:
        model.model_validate({name: value})
    except pydantic.ValidationError as error:
        problems = [problem for problem in error.errors() if problem["loc"][:1] == (name,)]
        if problems:
            raise SpaceError(explain(model, problems, ".".join((where, *parents)))) from None


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return every value under its dotted key; a mapping both as a whole and by its parts."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat[f"{prefix}{key}"] = value
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
    return flat


def merge(nested: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Return a copy of `nested` with the dotted `values` in their places."""
    merged = copy.deepcopy(dict(nested))
    for key, value in values.items():
        *parents, name = key.split(".")
        place = merged
        for parent in parents:
            place[parent] = place.get(parent) or {}
            place = place[parent]
        place[name] = copy.deepcopy(value)  # a later key may be a part of it
    return merged
