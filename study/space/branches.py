"""The searched fields in the order in which they are drawn; a field may depend on those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from study.config import Frozen
from study.space.distributions import Distribution

Values = Mapping[str, Any]
"""Dotted trial field -> value."""


class Branch(Frozen):
    """One way to draw a field: always, or only `when` other fields have certain values."""

    key: str
    """The trial's field, dotted."""
    when: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict)
    distribution: Distribution = Field(discriminator="type")

    @property
    def name(self) -> str:
        """The parameter's name in Optuna: branches of one field are parameters of their own, never mixed in a model."""
        conditions = ", ".join(f"{key}={'|'.join(map(str, values))}" for key, values in self.when.items())
        return f"{self.key}[{conditions}]" if conditions else self.key

    def holds(self, values: Values) -> bool:
        """Return whether the field is drawn this way, given the fields before it."""
        return all(key in values and values[key] in allowed for key, allowed in self.when.items())


Space = tuple[tuple[Branch, ...], ...]
"""The branches of each searched field, in the order in which fields are drawn."""


def draw(space: Space, fixed: Values, choose: Callable[[Branch], Any]) -> dict[str, Any]:
    """Return a value for every searched field that has a branch, walking the fields in order."""
    drawn: dict[str, Any] = {}
    for branches in space:
        for branch in _active(branches, {**fixed, **drawn}):
            drawn[branch.key] = choose(branch)
    return drawn


def combinations(space: Space, fixed: Values, most: int) -> tuple[Values, ...]:
    """Return every combination of all values, the first field changing slowest.

    Raises:
        ValueError: a field has no end of values, or there are more than `most` combinations.
    """
    grown: list[dict[str, Any]] = [{}]
    for branches in space:
        points, grown = grown, []
        for point in points:
            active = list(_active(branches, {**fixed, **point}))
            values = active[0].distribution.values() if active else ()
            if len(grown) + len(values) > most:
                raise ValueError(f"a grid of more than {most} combinations")
            grown += [{**point, active[0].key: value} for value in values] if active else [point]
    return tuple(grown)


def _active(branches: Iterable[Branch], values: Values) -> Iterator[Branch]:
    return (branch for branch in branches if branch.holds(values))
