"""A trial's fields by dotted key, such as `alpha` or `validation.every`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from study.config import TrialConfig
from study.tuning.branches import Values
from study.tuning.strict_yaml import SpaceError, explain
from tasks.plugins import nearest


def names(model: type[pydantic.BaseModel] = TrialConfig) -> Iterator[str]:
    """Yield every field of a trial, and the fields within it."""
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            yield from (f"{name}.{inner}" for inner in names(field.annotation))


NAMES = frozenset(names())


def check_value(key: str, value: Any, where: str) -> None:
    """Refuse a value that its field refuses, whatever the other fields hold.

    Args:
        key: a dotted field.
        value: any plain value.
        where: the keys that lead to `key`, dotted.

    Raises:
        SpaceError: there is no such field, or it does not take the value.
    """
    if key not in NAMES:
        raise SpaceError(f"{where}: unknown field '{key}': {nearest(key, NAMES)}")
    *parents, name = key.split(".")
    model: type[pydantic.BaseModel] = TrialConfig
    for parent in parents:
        inner = model.model_fields[parent].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, pydantic.BaseModel)
        model = inner
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
            place = place.setdefault(parent, {})
        place[name] = value
    return merged
