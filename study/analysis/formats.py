"""How numbers, intervals, metrics and settings are written, in tables, sentences and charts alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pydantic

from study.config import SEPARATOR
from study.config_sections import Named
from study.config_values import Schedule
from tasks.metrics import known_metric
from tasks.schema import Setting

NOTHING = "–"
"""Stands where there is no value."""


def metric_name(metric: str) -> str:
    """Return a metric as papers write it: `nDCG@10`, `rank distance`."""
    record = known_metric(metric)
    return record.title if record else metric


def setting_name(setting: str) -> str:
    """Return a setting as prose has it: `cross-lingual` for the key `crosslingual`."""
    return "cross-lingual" if setting == Setting.CROSSLINGUAL else str(setting)


def key_name(key: str) -> str:
    """Return a metric key as prose has it: `validation cross-lingual mAP` for `validation/crosslingual/map`."""
    *between, metric = key.split(SEPARATOR)
    return " ".join((*map(setting_name, between), metric_name(metric)))


def short_names(backbones: Iterable[str]) -> dict[str, str]:
    """Return backbones by the last part of their paths or ids, or by as many parts as tell them apart."""
    parts = {backbone: backbone.rstrip("/").split("/") for backbone in backbones}
    for count in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {backbone: "/".join(of_backbone[-count:]) for backbone, of_backbone in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    return {backbone: backbone for backbone in parts}


def some_of(texts: Sequence[str], separator: str = ", ", characters: int = 100) -> str:
    """Return texts as a list of about this length, and how many more there are."""
    shown = 1
    while shown < len(texts) and len(separator.join(texts[: shown + 1])) <= characters:
        shown += 1
    more = len(texts) - shown
    return separator.join(texts[:shown]) + (f"{separator}and {more} more" if more else "")


def decimals(metric: str) -> int:
    """Return how many decimals of a metric, with or without its setting, are worth printing."""
    record = known_metric(metric.rpartition("/")[2])
    return record.decimals if record else 3


def fixed(value: float | None, places: int = 3) -> str:
    """Return a number with a fixed number of decimals; a dash for None. A number that rounds to 0 has no sign."""
    return NOTHING if value is None else _minus(f"{value:z.{places}f}")


def signed(value: float, places: int = 3) -> str:
    """Return a number with a fixed number of decimals and its sign; without one if it rounds to 0."""
    text = fixed(value, places)
    return text if text.startswith("−") or not float(text) else f"+{text}"


def interval(low: float, high: float, places: int = 3) -> str:
    """Return an interval of signed numbers, such as `[−0.012, +0.050]`."""
    return f"[{signed(low, places)}, {signed(high, places)}]"


def p_value(p: float) -> str:
    """Return a p-value with three decimals, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def questions(count: int, documents: int) -> str:
    """Return `1190 questions about 48 documents`; without the documents where each question has its own."""
    about = f" about {documents} documents" if documents < count else ""
    return f"{count} questions{about}"


def setting(value: Any) -> str:
    """Return a setting: a number in three digits, a schedule as `start→end`, a group of settings by its values.

    A corpus or benchmark goes by its name, with what else it is given in parentheses.
    """
    if isinstance(value, float | Schedule):
        return f"{value:.3g}"
    if isinstance(value, Named):
        return _named(value)
    if isinstance(value, pydantic.BaseModel):
        return setting({name: part for name, part in value if part is not None})
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {setting(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        texts = ", ".join(map(setting, value))
        return texts if _are_named(value) else f"[{texts}]"
    return str(value)


def setting_among(name: str, value: Any, values: Sequence[Any]) -> str:
    """Return a setting with its name; of corpora or benchmarks only that in which some of `values` differ.

    Corpora that differ in their languages are `languages [en]` and `languages all`.
    """
    lists: list[tuple[Named, ...]] = [each for each in values if _are_named(each)]
    alike = len(lists) == len(values) and len({tuple(part.name for part in parts) for parts in lists}) == 1
    if not alike:
        return f"{name} {setting(value)}"
    apart = [(own.name, _apart(own, others)) for own, *others in zip(value, *lists, strict=True)]
    if len(apart) > 1:
        apart = [(corpus, f"{corpus} ({shown})") for corpus, shown in apart if shown]
    return ", ".join(shown for _, shown in apart if shown) or f"{name} {setting(value)}"


def _apart(own: Named, others: Sequence[Named]) -> str:
    """Return the options of a corpus in which some others differ."""
    given, options = _options(own), [_options(other) for other in others]
    keys = dict.fromkeys(key for each in options for key in each)
    different = [key for key in keys if any(each.get(key) != given.get(key) for each in options)]
    absent = {"languages": "all"}
    return ", ".join(f"{key} {setting(given[key]) if key in given else absent.get(key, 'none')}" for key in different)


def _are_named(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(part, Named) for part in value)


def _named(value: Named) -> str:
    """Return `lareqa (data/xquad-r, held_out 60, languages [en])`: of a path, what tells most."""
    options = _options(value)
    parts = ["/".join(str(options.pop("path")).rstrip("/").split("/")[-2:])] if "path" in options else []
    parts += [f"{name} {setting(part)}" for name, part in options.items()]
    return f"{value.name} ({', '.join(parts)})" if parts else value.name


def _options(value: Named) -> dict[str, Any]:
    """Return all that a corpus or benchmark is given besides its name."""
    fields = {name: getattr(value, name) for name in type(value).model_fields if name not in {"name", "options"}}
    return {name: part for name, part in fields.items() if part} | dict(value.options)


def _minus(text: str) -> str:
    return text.replace("-", "−")
