"""Searched fields, in the order in which they are drawn, and the points tried first.

A field may depend on those before it.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from study.config_values import Frozen
from study.space import fields
from study.space.distributions import MOST_TRIALS, Categorical, Distribution, Float, Int
from study.space.fields import Values
from study.space.strict_yaml import SpaceError, checked
from tasks.plugins import nearest

_TYPES: dict[str, type[Distribution]] = {"float": Float, "int": Int, "categorical": Categorical}
_LONGEST_NAME = 512
"""Characters of a parameter's name in Optuna's tables, which PostgreSQL and MySQL enforce and SQLite does not."""


def read_space(raw: Mapping[str, Any], fixed: Values, where: str) -> Space:
    """Return the searched fields in the order in which the file names them.

    Args:
        raw: field -> distribution, or a list of distributions with `when`.
        fixed: values all trials share, by dotted key.
        where: the keys that lead to `raw`, dotted.

    Raises:
        SpaceError: an unknown field, a field also fixed, a distribution its field does not take, or a bad condition.
    """
    space: Space = ()
    for key, value in raw.items():
        entries = value if isinstance(value, list) else [value]
        if not entries:
            raise SpaceError(f"{where}.{key}: the list is empty: write a distribution, or a list of them with 'when'")
        branches = tuple(_branch(key, entry, f"{where}.{key}") for entry in entries)
        for branch in branches:
            for probe in branch.distribution.probes():
                fields.check_value(key, probe, where)
        if key in fixed:
            raise SpaceError(f"{where}.{key}: it is also fixed under 'trial': remove it there or here")
        space += (tuple(_with_conditions(branch, space, fixed, f"{where}.{key}.when") for branch in branches),)
        _check_disjoint(space[-1], f"{where}.{key}")
    return space


def overlap(space: Space, fixed: Values) -> str | None:
    """Return why a searched field and a part of it would overwrite each other; None if none do.

    A part may follow the whole where it says at which of the whole's values it applies.
    """
    earlier: list[str] = []
    for branches in space:
        key = branches[0].key
        for other in earlier:
            if other.startswith(f"{key}."):
                return f"{key}: its part '{other}' is searched above and would be lost: put '{key}' before it"
            if key.startswith(f"{other}.") and not all(other in branch.when for branch in branches):
                return (
                    f"{key}: '{other}' is searched as a whole too, and this would change each of its values: write "
                    f"under 'when' at which values of '{other}' it applies, or search the parts alone"
                )
        for other, value in fixed.items():
            if key.startswith(f"{other}.") and value is None:
                return f"{key}: '{other}' is null under 'trial', so it has no parts: remove one of the two"
        earlier.append(key)
    return None


def _branch(key: str, raw: Any, where: str) -> Branch:
    if not isinstance(raw, Mapping):
        raise SpaceError(f"{where}: {raw!r} is refused: write a distribution, such as {{type: float, low: 0, high: 1}}")
    kind = str(raw.get("type"))
    if kind not in _TYPES:
        raise SpaceError(f"{where}.type: unknown distribution '{kind}': {nearest(kind, _TYPES)}")
    conditions = raw.get("when", {})
    if not isinstance(conditions, Mapping):
        raise SpaceError(
            f"{where}.when: {conditions!r} is refused: write a field and its value, such as {{steps: 400}}"
        )
    when = {str(field): tuple(value) if isinstance(value, list) else (value,) for field, value in conditions.items()}
    distribution = checked(_TYPES[kind], {name: raw[name] for name in raw if name != "when"}, where)
    return Branch(key=key, when=when, distribution=distribution)


def _with_conditions(branch: Branch, space: Space, fixed: Values, where: str) -> Branch:
    """Return the branch with its condition values converted to the types of their fields."""
    when = {}
    for key, values in branch.when.items():
        deciding = [b.distribution for branches in space for b in branches if b.key == key]
        if key in fixed:
            deciding = [Categorical(type="categorical", choices=(fixed[key],))]
        if not deciding:
            above = sorted({b.key for branches in space for b in branches} | set(fixed))
            raise SpaceError(
                f"{where}: '{key}' is neither fixed nor searched above: {nearest(key, above or ['nothing'])}"
            )
        when[key] = tuple(_placed(deciding, value, f"{where}.{key}") for value in values)
    return branch.model_copy(update={"when": when})


def _placed(distributions: Sequence[Distribution], value: Any, where: str) -> Any:
    """Return `value` as one of the values of the first distribution that has it."""
    problem = ""
    for distribution in distributions:
        try:
            return distribution.place(value)
        except ValueError as error:
            problem = str(error)
    raise SpaceError(f"{where}: {problem}")


def _check_disjoint(branches: Sequence[Branch], where: str) -> None:
    for first, second in itertools.combinations(branches, 2):
        shared = first.when.keys() & second.when.keys()
        if all(set(map(repr, first.when[key])) & set(map(repr, second.when[key])) for key in shared):
            raise SpaceError(
                f"{where}: the branches '{first.name}' and '{second.name}' can apply together: "
                "write conditions under 'when' that exclude each other"
            )


def read_points(raw: Any, space: Space, fixed: Values, where: str) -> tuple[Values, ...]:
    """Return the points tried first: every combination of a mapping of lists, or a list of points as it stands.

    Raises:
        SpaceError: a point outside the space, or one that leaves open which branch its values belong to.
    """
    if isinstance(raw, Mapping):
        lists = [value if isinstance(value, list) else [value] for value in raw.values()]
        if [] in lists:
            raise SpaceError(f"{where}: a list is empty: write values, or leave the field out")
        if math.prod(map(len, lists)) > MOST_TRIALS:
            raise SpaceError(f"{where}: more than {MOST_TRIALS:,} combinations")
        points: list[Any] = [dict(zip(raw, values, strict=True)) for values in itertools.product(*lists)]
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        points = list(raw)
    else:
        raise SpaceError(f"{where}: {raw!r} is refused: write a list of points, or lists of values to combine")
    return tuple(_point(point, space, fixed, f"{where}.{number}") for number, point in enumerate(points, 1))


def untrained(space: Space, fixed: Values, where: str) -> tuple[Values, ...]:
    """Return the values of one trial for each backbone that is fixed or searched, without a step of training.

    Raises:
        SpaceError: no trial of the study is trained.
    """
    if fixed.get("steps") == 0:
        raise SpaceError(f"{where}: every trial is zero-shot, as 'steps' is 0 under 'trial': remove one of the two")
    searched = [branch for branches in space for branch in branches if branch.key == "backbone"]
    if not searched:
        return ({"steps": 0},)
    backbones = dict.fromkeys(name for branch in searched for name in branch.distribution.values())
    return tuple({"steps": 0, "backbone": name} for name in backbones)


def _point(raw: Any, space: Space, fixed: Values, where: str) -> Values:
    if not isinstance(raw, Mapping):
        raise SpaceError(f"{where}: {raw!r} is refused: write fields and their values")
    searched = {branch.key for branches in space for branch in branches}
    for key in raw:
        if key not in searched:
            raise SpaceError(f"{where}: '{key}' is not searched: {nearest(str(key), searched)}")
    point: dict[str, Any] = {}
    for branches in space:
        if (key := branches[0].key) not in raw:
            continue
        active = [branch for branch in branches if branch.holds({**fixed, **point})]
        if not active:
            deciding = sorted({condition for branch in branches for condition in branch.when})
            raise SpaceError(f"{where}.{key}: no branch of '{key}' applies here: it depends on {', '.join(deciding)}")
        point[key] = _placed([active[0].distribution], raw[key], f"{where}.{key}")
    return point


def grid(space: Space, fixed: Values, where: str) -> tuple[Values, ...]:
    """Return every combination.

    Raises:
        SpaceError: they are too many, or infinitely many.
    """
    try:
        return combinations(space, fixed, MOST_TRIALS)
    except ValueError as error:
        raise SpaceError(f"{where}: {error}") from None


class Branch(Frozen):
    """One way to draw a field: always, or only `when` other fields have certain values."""

    key: str
    """The trial's field, dotted."""
    when: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict)
    distribution: Distribution

    @property
    def name(self) -> str:
        """The parameter's name in Optuna: branches of one field are parameters of their own, never mixed in a model."""
        conditions = ", ".join(f"{key}={'|'.join(map(str, values))}" for key, values in self.when.items())
        return column_name(f"{self.key}[{conditions}]" if conditions else self.key)

    def holds(self, values: Values) -> bool:
        """Return whether the field is drawn this way, given the values of the fields before it."""
        return all(key in values and values[key] in allowed for key, allowed in self.when.items())


def column_name(name: str) -> str:
    """Return a parameter's name as databases take it: the end of a long one gives way to a digest of the whole."""
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}#{digest}"


Space = tuple[tuple[Branch, ...], ...]
"""The branches of each searched field, in the order in which fields are drawn."""


def draw(space: Space, fixed: Values, choose: Callable[[Branch], Any]) -> dict[str, Any]:
    """Return a value for every searched field that has a branch, walking the fields in order."""
    drawn: dict[str, Any] = {}
    for branches in space:
        for branch in _active(branches, {**fixed, **drawn}):
            drawn[branch.key] = choose(branch)
    return drawn


def combinations(
    space: Space, fixed: Values, most: int, of: Callable[[Branch], Sequence[Any]] | None = None
) -> tuple[Values, ...]:
    """Return every combination of values, the first field changing slowest.

    Args:
        space: the searched fields.
        fixed: values all trials share, by dotted key.
        most: combinations that are accepted.
        of: returns the values of a branch that are combined; all by default.

    Raises:
        ValueError: a field has infinitely many values, or there are more than `most` combinations.
    """
    points: list[dict[str, Any]] = [{}]
    for branches in space:
        longer: list[dict[str, Any]] = []
        for point in points:
            active = list(_active(branches, {**fixed, **point}))
            values = (of(active[0]) if of else active[0].distribution.values()) if active else ()
            if len(longer) + len(values) > most:
                raise ValueError(f"a grid of more than {most:,} combinations")
            longer += [{**point, active[0].key: value} for value in values] if active else [point]
        points = longer
    return tuple(points)


def _active(branches: Iterable[Branch], values: Values) -> Iterator[Branch]:
    return (branch for branch in branches if branch.holds(values))
