"""Search spaces that cannot be searched: distributions, conditions, first points, budgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.bad_inputs.case import DRY_RUN, SPACE, BadInput, files, written

UNIT = {"type": "float", "low": 0, "high": 1}
STEPS = UNIT | {"step": 0.5}
DISTRIBUTIONS: dict[str, dict[str, Any]] = {
    "unknown setting": {"alpa": STEPS},
    "unknown setting in Thai": {"อัลฟา": STEPS},
    "unknown setting inside": {"validation.evry": {"type": "int", "low": 1, "high": 2}},
    "setting of a section that has none": {"alpha.x": STEPS},
    "empty setting": {"": STEPS},
    "a dot": {".": STEPS},
    "also fixed": {"steps": {"type": "int", "low": 1, "high": 2}},
    "inside what is fixed": {"validation.every": {"type": "int", "low": 10**6, "high": 10**7}},
    "a number": {"alpha": 0.5},
    "a text": {"alpha": "ทุกค่า"},
    "null": {"alpha": None},
    "an empty list": {"alpha": []},
    "a list of numbers": {"alpha": [0, 1]},
    "without a type": {"alpha": {"low": 0, "high": 1}},
    "unknown type": {"alpha": UNIT | {"type": "flot"}},
    "a list as type": {"alpha": UNIT | {"type": ["float"]}},
    "a mapping as type": {"alpha": UNIT | {"type": {"a": 1}}},
    "without an end": {"alpha": {"type": "float", "low": 0}},
    "unknown key": {"alpha": UNIT | {"hihg": 1}},
    "number as key": {"alpha": UNIT | {3: 1}},
    "out of range": {"alpha": UNIT | {"high": 1.5, "step": 0.5}},
    "ends in the wrong order": {"alpha": {"type": "float", "low": 1, "high": 0}},
    "steps that miss the end": {"alpha": UNIT | {"step": 0.3}},
    "a step of 0": {"alpha": UNIT | {"step": 0}},
    "a step below 0": {"alpha": UNIT | {"step": -0.5}},
    "no step in a grid": {"alpha": UNIT},
    "a logarithm of 0": {"alpha": UNIT | {"log": True}},
    "a logarithm with steps": {"alpha": {"type": "float", "low": 0.1, "high": 1, "log": True, "step": 0.1}},
    "log as a text": {"alpha": STEPS | {"log": "ใช่"}},
    "an infinite end": {"weight_decay": {"type": "float", "low": 0, "high": "inf", "step": 1}},
    "an end that is no number": {"alpha": {"type": "float", "low": 0, "high": "nan", "step": 1}},
    "an end as a list": {"alpha": {"type": "float", "low": [0], "high": 1}},
    "an end of 400 digits": {"weight_decay": {"type": "float", "low": 0, "high": 10**400, "step": 1}},
    "a wide range in tiny steps": {"weight_decay": {"type": "float", "low": 0, "high": 1e300, "step": 1e-300}},
    "fractions of a whole number": {"batch_size": {"type": "float", "low": 32, "high": 64, "step": 0.5}},
    "an int with fractions": {"batch_size": {"type": "int", "low": 8.5, "high": 16}},
    "a logarithm of integers from 0": {"seed": {"type": "int", "low": 0, "high": 8, "log": True}},
    "a choice that is refused": {"precision": {"type": "categorical", "choices": ["fp32", "fp16"]}},
    "a choice twice": {"seed": {"type": "categorical", "choices": [1, 1.0]}},
    "no choices": {"seed": {"type": "categorical", "choices": []}},
    "choices as a text": {"mixing": {"type": "categorical", "choices": "batch"}},
    "choices as a mapping": {"mixing": {"type": "categorical", "choices": {"batch": 1, "pair": 2}}},
    "2,000 choices": {"seed": {"type": "categorical", "choices": list(range(2000))}},
    "a million points": {"seed": {"type": "int", "low": 0, "high": 10**6}},
    "a billion points": {"seed": {"type": "int", "low": 0, "high": 10**9}},
    "10^30 points": {"seed": {"type": "int", "low": 0, "high": 10**30}},
    "100,000 points": {"seed": {"type": "int", "low": 0, "high": 99_999}},
    "a billion steps": {"alpha": UNIT | {"step": 1e-9}},
    "a billion combinations": {
        name: {"type": "int", "low": 1000, "high": 1999} for name in ("seed", "max_query_tokens", "max_passage_tokens")
    },
    "values that do not go together": {
        "batch_size": {"type": "categorical", "choices": [8, 9]},
        "resources.workers": {"type": "categorical", "choices": [1, 2]},
    },
    "a condition on nothing": {"alpha": [STEPS | {"when": {"backbone": "x"}}]},
    "a condition on itself": {"alpha": [STEPS | {"when": {"alpha": 0}}]},
    "a condition on what comes below": {
        "alpha": [STEPS | {"when": {"seed": 0}}],
        "seed": {"type": "int", "low": 0, "high": 1},
    },
    "a condition that is a text": {"alpha": [STEPS | {"when": "seed"}]},
    "a condition that is null": {"alpha": [STEPS | {"when": None}]},
    "a condition with a number as key": {"alpha": [STEPS | {"when": {3: 1}}]},
    "a condition with a mapping": {"alpha": [STEPS | {"when": {"steps": {"a": 1}}}]},
    "a condition that no trial meets": {"alpha": [STEPS | {"when": {"steps": 100}}]},
    "conditions that overlap": {"alpha": [STEPS | {"when": {"steps": 4}}, STEPS]},
    "a corpus that does not exist": {"corpora": {"type": "categorical", "choices": [["factbok"], ["factbook"]]}},
    "a backbone that does not exist": {
        "backbone": {"type": "categorical", "choices": ["builtin/xlmr-tiny", "builtin/x"]}
    },
}
SEARCHES: dict[str, dict[str, Any]] = {
    "an unknown sampler": {"sampler": "tpes"},
    "a sampler in Thai": {"sampler": "สุ่ม"},
    "a sampler as a list": {"sampler": ["grid"]},
    "space as a list": {"space": [{"seed": STEPS}]},
    "space as a text": {"space": "seed"},
    "trials 0": {"trials": 0},
    "trials below 0": {"trials": -3},
    "trials 1.5": {"trials": 1.5},
    "trials true": {"trials": True},
    "trials as a text": {"trials": "ทั้งหมด"},
    "more trials than the grid": {"trials": 99},
    "10^30 trials": {"sampler": "random", "trials": 10**30},
    "a billion trials": {"sampler": "tpe", "trials": 10**9},
    "1e400 trials": {"sampler": "random", "trials": 1e400},
    "no trials": {"sampler": "random"},
    "no space": {"sampler": "random", "trials": 3, "space": {}},
    "seeds 0": {"seeds": 0},
    "a billion seeds": {"seeds": 10**9, "space": {"alpha": STEPS}},
    "seeds beside a searched seed": {"seeds": 2},
    "seeds as a list": {"seeds": [1, 2], "space": {"alpha": STEPS}},
    "a seed beyond 64 bits": {"seed": 2**63},
    "a seed below 0": {"seed": -1},
    "startup below 0": {"sampler": "tpe", "trials": 2, "startup": -1},
    "an unknown key": {"trial": 3},
    "first in a grid": {"first": {"seed": [0]}},
    **{
        f"first points {name}": {"sampler": "random", "trials": 2, "space": {"alpha": STEPS}, "first": first}
        for name, first in {
            "outside": {"alpha": [0.25]},
            "as a text": "alpha",
            "as a number": 3,
            "as a list of numbers": [3],
            "with a text": {"alpha": ["สูง"]},
            "with a mapping": {"alpha": [{"start": 0, "end": 1}]},
            "with true": {"alpha": True},
            "with null": {"alpha": [None]},
            "with what is not a number": {"alpha": ["nan"]},
            "with an unknown key": {"aplha": [0]},
            "with an empty list": {"alpha": []},
            "more than trials": {"alpha": [0, 0.5, 1]},
            "twice": [{"alpha": 0}, {"alpha": 0}, {"alpha": 0}],
            "that are null": [None],
        }.items()
    },
    "a billion first points": {
        "sampler": "random",
        "trials": 2,
        "space": {name: {"type": "int", "low": 8, "high": 2000} for name in ("seed", "max_query_tokens")},
        "first": {name: list(range(8, 2001)) for name in ("seed", "max_query_tokens")},
    },
}


def inputs() -> Iterator[BadInput]:
    """Yield search spaces with one wrong distribution or one wrong key under `search`."""
    for name, space in DISTRIBUTIONS.items():
        yield BadInput("distribution", name, DRY_RUN, files({SPACE: written(search={"space": space})}))
    for name, search in SEARCHES.items():
        yield BadInput("search", name, DRY_RUN, files({SPACE: written(search=search)}))
