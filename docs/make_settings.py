"""Write docs/settings.md from the classes of settings: `python docs/make_settings.py`; a test compares the two."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic.fields import FieldInfo

from study import config, config_sections, config_values
from study.space import distributions, file_keys, selection

PAGE = Path(__file__).with_name("settings.md")
HEADER = """# Settings

Generated from the code by `python docs/make_settings.py`; do not edit. A setting with a dot is nested: write
`validation.every` as `validation: {every: 100}`.

- [A search space](#a-search-space): the keys of a file
- [Distributions](#distributions): what stands under `search.space`
- [Schedulers](#schedulers): what may stop trials early
- [A trial](#a-trial): what stands under `trial`
"""
TRIAL = "Any of these can be searched: write a distribution under `search.space` instead of a value under `trial`."


def descriptions(model: type[pydantic.BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a class, its own or inherited, in one line."""
    (tree,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(tree, ast.ClassDef)
    base = model.__base__
    found = descriptions(base) if base and base.__module__.startswith("study.space") else {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


def rows(model: type[pydantic.BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield name, allowed values, default and meaning of each setting, nested ones after the setting they belong to."""
    meanings = descriptions(model)
    for name, field in model.model_fields.items():
        nested = [kind for kind in parts(field.annotation) if is_model(kind) and kind is not config_values.Schedule]
        meaning = meanings.get(name) or next((str(kind.__doc__).split("\n\n")[0] for kind in nested), "")
        yield f"{prefix}{name}", allowed(field), default(field), " ".join(meaning.split())
        for kind in nested:
            if not issubclass(kind, config_sections.Named):
                yield from rows(kind, f"{prefix}{name}.")


def parts(annotation: Any) -> list[Any]:
    """Return the alternatives of a type, without None and without what wraps them."""
    if get_origin(annotation) is Annotated:
        return parts(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return [part for choice in get_args(annotation) for part in parts(choice)]
    if get_origin(annotation) is tuple:
        return parts(get_args(annotation)[0])
    return [] if annotation is types.NoneType else [annotation]


def is_model(kind: Any) -> bool:
    """Return whether a type is one of the classes of settings."""
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def allowed(field: FieldInfo) -> str:
    """Return the type of a setting and its bounds in words."""
    words = [word(part) for part in parts(field.annotation)]
    if get_origin(field.annotation) is tuple or any(get_origin(a) is tuple for a in get_args(field.annotation)):
        words = [f"list of {' or '.join(words)}"]
    bounds = []
    for constraint in field.metadata:
        for attribute, text in {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}.items():
            if (bound := getattr(constraint, attribute, None)) is not None:
                bounds.append(f"{text} {bound:g}")
        if isinstance(constraint, pydantic.AfterValidator) and isinstance(constraint.func, config_values.Within):
            bounds.append(constraint.func.bounds)
    return ", ".join([" or ".join(words), *bounds])


def word(part: Any) -> str:
    """Return a type as the page names it."""
    if get_origin(part) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(part))
    if is_model(part):
        return "schedule `{start, end, shape}`" if part is config_values.Schedule else "mapping"
    if part is Any:
        return "see its meaning"
    if get_origin(part) is Mapping:
        return "mapping"
    names = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}
    return names.get(getattr(part, "__name__", ""), str(part))


def default(field: FieldInfo) -> str:
    """Return the default of a setting as it would stand in YAML."""
    value = field.default
    if field.is_required():
        return "required"
    if field.default_factory:
        return "empty"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, config_sections.Named):
        value = (value,)
    if isinstance(value, tuple):
        return f"`[{', '.join(entry.name for entry in value)}]`"
    return "see below" if isinstance(value, pydantic.BaseModel) else f"`{value}`"


def kinds(models: tuple[type[pydantic.BaseModel], ...], key: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of models that a key tells apart: `asha: min_steps`."""
    for model in models:
        (kind,) = get_args(model.model_fields[key].annotation)
        yield f"{key}: {kind}", "", "", " ".join(str(model.__doc__).split("\n\n")[0].split())
        yield from ((name, *rest) for name, *rest in rows(model, f"{kind}: ") if name != f"{kind}: {key}")


def table(entries: Iterable[tuple[str, str, str, str]]) -> str:
    """Return rows as a table in Markdown."""
    lines = ["| setting | values | default | meaning |", "| :-- | :-- | :-- | :-- |"]
    return "\n".join([*lines, *(f"| `{name}` | {' | '.join(rest)} |" for name, *rest in entries)])


def sections() -> dict[str, str]:
    """Return the page's sections by their titles."""
    return {
        "A search space": table(rows(file_keys.FileKeys)),
        "Distributions": table(kinds(get_args(distributions.Distribution), "type")),
        "Schedulers": table(kinds(get_args(selection.Stopping), "name")),
        "A trial": f"{TRIAL}\n\n{table(rows(config.TrialConfig))}",
    }


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEADER, *(f"## {title}\n\n{text}\n" for title, text in sections().items())])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
