"""Distributions that a search draws from: Optuna's float, int and categorical as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from study.config import LARGEST_SEED
from study.config_values import Settings

MOST_TRIALS = 10_000
"""Trials of a study: checking the settings of so many takes seconds, and running them would take weeks."""


class _Range(Settings):
    """Numbers from `low` to `high`, both included."""

    low: pydantic.FiniteFloat
    """The smallest value."""
    high: pydantic.FiniteFloat
    """The largest value."""
    step: pydantic.FiniteFloat | None = Field(default=None, gt=0)
    """The distance between values, which a grid needs; any value between the two without."""
    log: bool = False
    """Draw evenly on a logarithmic scale."""

    @pydantic.model_validator(mode="after")
    def _order(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"low {self.low:.12g} is above high {self.high:.12g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic scale has no {self.low:.12g}: 'low' must be above 0")
        if self.log and self.step not in (None, 1):
            raise ValueError("'step' and 'log' exclude each other")
        if self.step:
            reached = self._at(math.floor((_exact(self.high) - _exact(self.low)) / _exact(self.step)))
            if reached != self.high:
                raise ValueError(
                    f"steps of {self.step:.12g} from {self.low:.12g} miss {self.high:.12g}; they reach {reached:.12g}"
                )
        return self

    def _at(self, index: int) -> float:
        """Return the value `index` steps above `low`, as written: 0.3, not 0.30000000000000004."""
        return float(_exact(self.low) + index * _exact(self.step or 0))

    def _index(self, value: float) -> int:
        """Return how many steps `value` lies above `low`.

        Raises:
            ValueError: it lies outside the range or between two steps.
        """
        index = (value - self.low) / self.step if self.step else 0.0
        nearest = self._at(round(index)) if self.step and math.isfinite(index) else value
        if not self.low <= nearest <= self.high or not math.isfinite(index) or abs(index - round(index)) > 1e-6:
            by = f" in steps of {self.step:.12g}" if self.step else ""
            raise ValueError(f"{value:.12g} is not one of {self.low:.12g} to {self.high:.12g}{by}")
        return round(index)


class Float(_Range):
    """Real numbers, in steps where `step` is given."""

    type: Literal["float"]

    @pydantic.model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.log and self.step:
            raise ValueError("'step' and 'log' exclude each other")
        return self

    def values(self) -> Sequence[float]:
        """Return every value, in order.

        Raises:
            ValueError: they are infinitely many, or more than a grid may have.
        """
        if self.step is None:
            raise ValueError("a grid needs a 'step' to be finite")
        if (self.high - self.low) / self.step >= MOST_TRIALS:
            raise ValueError(f"a grid of more than {MOST_TRIALS:,} combinations")
        return [self._at(index) for index in range(self._index(self.high) + 1)]

    def probes(self) -> Sequence[float]:
        """Return a few values; a field that accepts them accepts all."""
        within = float(f"{self.low + (self.high - self.low) * 0.4142:.9g}")  # no integer: some fields need one
        return (self.low, self._at(1) if self.step and self.low < self.high else within, self.high)

    def place(self, value: Any) -> float:
        """Return `value` as one of this distribution's values.

        Raises:
            ValueError: it is none of them.
        """
        index = self._index(_number(value))
        return self._at(index) if self.step else float(value)


class Int(_Range):
    """Whole numbers, in steps."""

    type: Literal["int"]
    low: int = Field(ge=-LARGEST_SEED, le=LARGEST_SEED)
    """The smallest value."""
    high: int = Field(ge=-LARGEST_SEED, le=LARGEST_SEED)
    """The largest value."""
    step: int = Field(default=1, ge=1)
    """The distance between values."""

    def values(self) -> Sequence[int]:
        """Return every value, in order.

        Raises:
            ValueError: they are more than a grid may have.
        """
        if (self.high - self.low) // self.step >= MOST_TRIALS:
            raise ValueError(f"a grid of more than {MOST_TRIALS:,} combinations")
        return range(self.low, self.high + 1, self.step)

    def probes(self) -> Sequence[int]:
        """Return a few values; a field that accepts them accepts all."""
        return (self.low, min(self.low + self.step, self.high), self.high)

    def place(self, value: Any) -> int:
        """Return `value` as one of this distribution's values.

        Raises:
            ValueError: it is none of them.
        """
        return self.low + self.step * self._index(_number(value))


class Categorical(Settings):
    """One of several values of any kind."""

    type: Literal["categorical"]
    choices: tuple[Any, ...] = Field(min_length=1, max_length=1000)
    """The values, of any kind: numbers, names, or whole mappings and lists."""

    @pydantic.field_validator("choices")
    @classmethod
    def _different(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        for number, choice in enumerate(choices):
            if choice in choices[:number]:
                raise ValueError(f"the choice {choice!r} is written twice")
        return choices

    @property
    def labels(self) -> tuple[bool | int | float | str | None, ...]:
        """The choices as Optuna stores them: scalars as they are, other values as JSON."""
        scalars = (bool, int, float, str)
        return tuple(
            c if c is None or isinstance(c, scalars) else json.dumps(c, sort_keys=True, ensure_ascii=False)
            for c in self.choices
        )

    def values(self) -> Sequence[Any]:
        """Return every value, in order."""
        return self.choices

    def probes(self) -> Sequence[Any]:
        """Return a few values; a field that accepts them accepts all."""
        return self.choices

    def place(self, value: Any) -> Any:
        """Return `value` as one of this distribution's values.

        Raises:
            ValueError: it is none of them.
        """
        if value not in self.choices:
            raise ValueError(f"{value!r} is not one of {', '.join(map(repr, self.choices))}")
        return self.choices[self.choices.index(value)]


Distribution = Float | Int | Categorical


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
