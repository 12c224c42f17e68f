"""A crossed design from what questions contribute, each with a document of its own."""

from __future__ import annotations

from study.analysis.crossed import Crossed
from study.analysis.statistics import Contributions, Floats


def crossed_of(values_ASQ: Floats) -> Crossed:
    questions = values_ASQ.shape[2]
    return Crossed(Contributions(values_ASQ, questions - 1, questions))
