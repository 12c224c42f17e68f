"""How numbers, intervals, metrics and settings are written, in tables, sentences and charts alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

from study.config_values import Schedule
from tasks.metrics import known_metric

NOTHING = "–"
"""Stands where there is no value."""


def metric_name(metric: str) -> str:
    """Return a metric as papers write it: `nDCG@10`, `rank distance`."""
    record = known_metric(metric)
    return record.title if record else metric


def decimals(metric: str) -> int:
    """Return how many decimals of a metric, with or without its setting, are worth printing."""
    record = known_metric(metric.rpartition("/")[2])
    return record.decimals if record else 3


def fixed(value: float | None, places: int = 3) -> str:
    """Return a number with a fixed number of decimals and a minus sign; a dash for None."""
    return NOTHING if value is None else _minus(f"{value:.{places}f}")


def signed(value: float, places: int = 3) -> str:
    """Return a number with a fixed number of decimals and its sign."""
    return _minus(f"{value:+.{places}f}")


def interval(low: float, high: float, places: int = 3) -> str:
    """Return an interval of signed numbers, such as `[−0.012, +0.050]`."""
    return f"[{signed(low, places)}, {signed(high, places)}]"


def p_value(p: float) -> str:
    """Return a p-value with three decimals, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def setting(value: Any) -> str:
    """Return a setting: a number in three digits, a schedule as `start→end`, a group of settings by its values."""
    if isinstance(value, float | Schedule):
        return f"{value:.3g}"
    if isinstance(value, pydantic.BaseModel):
        return setting({name: part for name, part in value if part is not None})
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {setting(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(setting, value)) + "]"
    return str(value)


def _minus(text: str) -> str:
    return text.replace("-", "−")
