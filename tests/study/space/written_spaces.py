"""Search spaces as files, for the tests of what is read and what is refused."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from study.space.study_config import StudyConfig, load

BACKBONES = ("builtin/xlmr-tiny", "builtin/labse-tiny")
GOOD = """
trial:
  steps: 400
  batch_size: 64
  query_prefix: "คำถาม: "
  validation: {every: 50}
search:
  trials: 9
  first:
    backbone: [builtin/xlmr-tiny, builtin/labse-tiny]
    alpha: [0, 0.5, 1]
  space:
    backbone: {type: categorical, choices: [builtin/xlmr-tiny, builtin/labse-tiny]}
    alpha: {type: float, low: 0, high: 1, step: 0.1}
    temperature: {type: float, low: 1e-2, high: 0.2, log: true}
"""
BRANCHES = """
backbone: {type: categorical, choices: [builtin/xlmr-tiny, builtin/labse-tiny, /models/เล็ก]}
learning_rate:
- {when: {backbone: builtin/xlmr-tiny}, type: float, low: 0.001, high: 0.003, step: 0.001}
- {when: {backbone: [builtin/labse-tiny]}, type: categorical, choices: [0.01]}
"""


def read(text: str, folder: Path) -> StudyConfig:
    path = folder / "space.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return load(str(path))


def searching(space: str, sampler: str = "grid", trial: str = "steps: 400") -> str:
    """Return a file with these lines under `search.space`."""
    return f"trial: {{{trial}}}\nsearch:\n  sampler: {sampler}\n  space:\n" + "".join(
        f"    {line}\n" for line in dedent(space).strip().splitlines()
    )
