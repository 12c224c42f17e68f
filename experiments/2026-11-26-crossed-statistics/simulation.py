"""Simulated studies for the tables of README.md: settings crossed with seeds and questions.

A value is a logistic function of a sum of normal effects: of the question and of the question in a language (shared by
all trials); of the seed and of the seed in a language (`Noise`; whole figures move); of the seed on a question, and so
on. `common` effects of a seed are shared by all settings, the others are drawn for each setting and seed.

Shapes: A settings, S seeds, L languages, Q questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from study.analysis.statistics import Contributions, Floats, contributions

LANGUAGES = 11


class Noise(NamedTuple):
    """Standard deviations of what a seed does to whole figures, on the logistic scale."""

    seed: float
    seed_language: float

    def drawn(self, random: np.random.Generator, settings: int, seeds: int) -> Floats:
        """Return the effects, (settings, seeds, languages, 1)."""
        whole = self.seed * random.normal(size=(settings, seeds, 1, 1))
        return np.asarray(whole + self.seed_language * random.normal(size=(settings, seeds, LANGUAGES, 1)))


NONE, SMALL, MIDDLE, LARGE = Noise(0.0, 0.0), Noise(0.04, 0.05), Noise(0.15, 0.2), Noise(0.3, 0.4)


class Design(NamedTuple):
    """The size of a study."""

    settings: int
    seeds: int
    questions: int = 200

    def __str__(self) -> str:
        """Return the columns of a table row."""
        return f"{self.settings} | {self.seeds} | {self.questions}"


@dataclass(frozen=True)
class Case:
    """What the settings of a study differ in, and how trials vary."""

    name: str
    own: Noise
    """Drawn for each setting and seed."""
    common: Noise = NONE
    """Shared by all settings of a seed."""
    by_question: float = 0.0
    """Standard deviation over questions of a setting's effect, which is 0 on average."""
    unlike: Literal["no", "slope", "one setting"] = "no"
    """`slope`: the seed's own effect grows evenly from the first setting to the last; `one setting`: the first varies
    three times as much."""
    shift: tuple[float, ...] = ()
    """Effect of each setting; 0.1 is about 0.016 of a figure near 0.5."""

    def values(self, design: Design, random: np.random.Generator) -> Floats:
        """Return one study, (A, S, L, Q)."""
        settings, seeds, questions = design
        seed_ASL1 = self.own.drawn(random, settings, seeds)
        if self.unlike == "slope":
            place_A = np.linspace(-0.5, 0.5, settings)
            place_A /= np.sqrt((place_A**2).sum() / (settings - 1))
            seed_ASL1 = place_A[:, None, None, None] * self.own.drawn(random, 1, seeds)
        if self.unlike == "one setting":
            seed_ASL1[0] *= 3
        shared_ASLQ = self.common.drawn(random, 1, seeds) + (
            random.normal(0, 1.2, (1, 1, 1, questions)) + random.normal(0, 0.8, (1, 1, LANGUAGES, questions))
        )
        setting_ASLQ = self.by_question * random.normal(size=(settings, 1, 1, questions))
        setting_ASLQ += np.asarray(self.shift or np.zeros(settings))[:, None, None, None]
        rest_ASLQ = 0.6 * random.normal(size=(settings, seeds, 1, questions)) + random.normal(
            size=(settings, seeds, LANGUAGES, questions)
        )
        return np.asarray(1 / (1 + np.exp(-(seed_ASL1 + shared_ASLQ + setting_ASLQ + rest_ASLQ))))

    def true_figures(self, settings: int) -> Floats:
        """Return each setting's expected figure, by Gauss-Hermite quadrature over the sum of all effects."""
        parts = (*self.own, *self.common, self.by_question, 1.2, 0.8, 0.6, 1.0)
        node_N, weight_N = np.polynomial.hermite_e.hermegauss(80)
        shift_A = np.asarray(self.shift or np.zeros(settings))
        logit_AN = shift_A[:, None] + np.sqrt(np.square(parts).sum()) * node_N
        return np.asarray((1 / (1 + np.exp(-logit_AN))) @ weight_N / weight_N.sum())


def figures(values_ASLQ: Floats) -> Contributions:
    """Return the contributions to the macro average over languages, (A, S, Q)."""
    return contributions(values_ASLQ)
