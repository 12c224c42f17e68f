"""Write the search spaces of this experiment: `python experiments/2026-11-26-transfer/make_spaces.py`.

Trials are listed one by one, the most telling first, so that a study cut short still answers something: zero-shot, then
all main arms with seed 0, then seeds 1 and 2, then the other alphas and the other temperature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
MAIN = ("X-Y", "hybrid 0.5", "X-X-mono", "X-X", "En-En")
OTHERS = ("hybrid 0.25", "hybrid 0.75", "pairs 0.5")
ARMS: dict[str, dict[str, Any]] = {
    "X-Y": {"alpha": 0.0},
    "hybrid 0.25": {"alpha": 0.25},
    "hybrid 0.5": {"alpha": 0.5},
    "hybrid 0.75": {"alpha": 0.75},
    "X-X-mono": {"alpha": 1.0},
    "X-X": {"alpha": 1.0, "mixing": "pair"},
    "pairs 0.5": {"alpha": 0.5, "mixing": "pair"},
    "En-En": {"alpha": 1.0, "languages": ["en"]},
}
GPU: dict[str, Any] = {"micro_batch_tokens": 4096, "resources": {"workers": 1, "gpus_per_worker": 0.1}}
CPU: dict[str, Any] = {"resources": {"workers": 2}}
HEADER = """# {title}
# Follows: arXiv 2408.10536's question, zero-shot: the training data and the test data are different sets.
# Run:     python -m study.run experiments/2026-11-26-transfer/{name}.yaml --name {name}   (README.md: the backbone)
# Takes:   {trials} trials {place}; README.md has the measured time.
# Expect:  README.md.
# Written by make_spaces.py.

"""


class Plain(yaml.SafeDumper):
    """Writes equal values out each time, in place of anchors and aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that no alias is written for any value."""
        return True


def corpus(folder: str, **options: Any) -> dict[str, Any]:
    """Return the training corpus, with 60 rows kept for validation."""
    return {"name": "lareqa", "path": f"../../../shared/data/{folder}", "held_out": 60, **options}


def point(folder: str, arm: str, seed: int, temperature: float = 0.02, **options: Any) -> dict[str, Any]:
    """Return the values of one trial."""
    chosen = dict(ARMS[arm])
    languages = chosen.pop("languages", None)
    if languages:
        options["languages"] = languages
    values = {"alpha": chosen["alpha"], "mixing": chosen.get("mixing", "batch")}
    return {"steps": 80, "seed": seed, "temperature": temperature, "corpora": [corpus(folder, **options)], **values}


def zero_shot(folder: str) -> dict[str, Any]:
    """Return the trial that evaluates the backbone as it is."""
    return point(folder, "X-Y", 0) | {"steps": 0}


def space(
    folder: str, benchmark: dict[str, Any], points: list[dict[str, Any]], machine: dict[str, Any]
) -> dict[str, Any]:
    """Return a search space that tries exactly these points, in this order, with the settings that suit a machine."""

    def choices(key: str) -> list[Any]:
        distinct: list[Any] = []
        for values in points:
            if values[key] not in distinct:
                distinct.append(values[key])
        return distinct

    return {
        "trial": {
            "backbone": "../../../me5",
            "benchmarks": [benchmark],
            "validation": {
                "benchmark": {"name": "held_out", "corpus": corpus(folder)},
                "metric": "multilingual/map",
                "every": 40,
            },
            "batch_size": 32,
            "learning_rate": 3e-5,
            "precision": "fp32",
            "centring": {"source": "corpora"},
            **machine,
        },
        "search": {
            "sampler": "random",
            "trials": len(points),
            "first": points,
            "space": {key: {"type": "categorical", "choices": choices(key)} for key in points[0]},
        },
        "objective": {"metric": "validation/multilingual/map", "direction": "maximize"},
        "scheduler": "none",
    }


def transfer(folder: str) -> list[dict[str, Any]]:
    """Return the trials of one direction."""
    points = [zero_shot(folder)]
    points += [point(folder, arm, seed) for seed in SEEDS for arm in MAIN]
    points += [point(folder, arm, seed) for seed in SEEDS for arm in OTHERS]
    points += [
        point(folder, arm, seed, temperature=0.05) for seed in SEEDS for arm in ("X-Y", "hybrid 0.5", "X-X-mono")
    ]
    return points


def write(name: str, title: str, content: dict[str, Any]) -> None:
    """Write one search space below its header."""
    place = "ten at a time on one GPU" if content["trial"]["resources"] == GPU["resources"] else "on two cores"
    header = HEADER.format(title=title, name=name, trials=content["search"]["trials"], place=place)
    text = yaml.dump(content, Dumper=Plain, sort_keys=False, width=118, default_flow_style=None, allow_unicode=True)
    (HERE / f"{name}.yaml").write_text(header + text, "utf-8")


def main() -> None:
    """Write both directions and the size curve."""
    mlqa = {"name": "mlqa_r", "path": "../../../shared/data/mlqa-r"}
    xquad = {"name": "xquad_r", "path": "../../../shared/data/xquad-r"}
    for name, title, folder, benchmark in (
        ("xquad-to-mlqa", "Direction A: train on XQuAD-R, test on MLQA-R.", "xquad-r", mlqa),
        ("mlqa-to-xquad", "Direction B: train on MLQA-R, test on XQuAD-R.", "mlqa-r", xquad),
    ):
        write(name, title, space(folder, benchmark, transfer(folder), GPU))
    sizes = [
        point("xquad-r", arm, seed, rows=rows)
        for seed in SEEDS
        for rows in (150, 400)
        for arm in ("X-Y", "hybrid 0.5", "X-X-mono")
    ]
    write(
        "size", "Direction A with fewer training rows (all 1,190: xquad-to-mlqa).", space("xquad-r", mlqa, sizes, CPU)
    )


if __name__ == "__main__":
    main()
