"""Values of settings: frozen records, schedules over the steps of a trial, bounds. Imports neither torch nor Ray."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, Literal, Self

import pydantic


class Frozen(pydantic.BaseModel):
    """Immutable values that refuse unknown keys, infinite numbers and NaN."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Settings(Frozen):
    """Settings that a search space states: true and false are no numbers."""

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: object, info: pydantic.ValidationInfo) -> object:
        if isinstance(value, bool) and info.field_name:
            annotation = cls.model_fields[info.field_name].annotation
            if not {bool, Any} & {annotation, *typing.get_args(annotation)}:
                raise ValueError(f"{str(value).lower()} is refused: only on-off settings are true or false")
        return value


class Schedule(Settings):
    """A value that moves from `start` to `end` over the steps of a trial."""

    start: float
    end: float
    shape: Literal["linear", "cosine"] = "linear"

    @pydantic.model_validator(mode="after")
    def _moves(self) -> Self:
        if self.start == self.end:  # reports would show a constant alpha of 0 or 1 as hybrid
            raise ValueError(f"start and end are both {self.start:g}: write the number alone")
        return self

    def __format__(self, spec: str) -> str:
        """Return both ends in a number's format, as in `1→0`."""
        return f"{self.start:{spec}}→{self.end:{spec}}"

    def at(self, fraction: float) -> float:
        """Return the value after `fraction` (0 to 1) of all steps."""
        progress = fraction if self.shape == "linear" else (1 - math.cos(math.pi * fraction)) / 2
        return self.start + (self.end - self.start) * progress


def fraction_done(step: int, steps: int) -> float:
    """Return how far `step` (from 0) is into a trial of `steps` steps: 0 at the first step, 1 at the last."""
    return step / max(1, steps - 1)


def value_at(value: float | Schedule, fraction: float) -> float:
    """Return a constant, or a schedule's value after `fraction` (0 to 1) of all steps."""
    return value.at(fraction) if isinstance(value, Schedule) else value


@dataclasses.dataclass(frozen=True)
class Within:
    """Refuse a value, or a schedule's start or end, that is out of bounds."""

    low: float
    high: float
    open_low: bool = False
    """Whether `low` itself is out of bounds."""

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        return f"{'above' if self.open_low else 'from'} {self.low:g} to {self.high:g}"

    def __call__(self, value: float | Schedule) -> float | Schedule:
        """Return the value.

        Raises:
            ValueError: it is out of bounds.
        """
        for end in (value.start, value.end) if isinstance(value, Schedule) else (value,):
            if not self.low <= end <= self.high or (self.open_low and end == self.low):
                raise ValueError(f"{end:g} is out of range; allowed is {self.bounds}")
        return value
