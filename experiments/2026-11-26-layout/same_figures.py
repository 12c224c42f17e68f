"""Compare two checkouts of this project to the last bit: golden losses, and every figure of a small seeded study.

    git worktree add /tmp/before 238a4c9
    python experiments/2026-11-26-layout/same_figures.py /tmp/before .

Each checkout runs in processes of its own. Prints the losses and how many figures were compared; exits with 1 where
one differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SPACE = """
trial:
  steps: 12
  batch_size: 16
  learning_rate: 3e-3
  validation: {every: 6, benchmark: {name: factbook, split: dev, languages: [ar, th, zh]}}
  benchmarks: [{name: factbook, languages: [ar, en, th, zh]}]
search:
  sampler: grid
  space:
    alpha: {type: categorical, choices: [0.0, 0.5, 1.0]}
"""
LOSSES = (
    "import json; from tests.study.training.test_golden import losses; print(json.dumps([l.hex() for l in losses()]))"
)


def run(checkout: Path, *command: str) -> str:
    """Return what a command prints, run with this Python on the code of `checkout`."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run([sys.executable, *command], cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def study(checkout: Path, folder: Path) -> dict[str, Any]:
    """Run the small study; return the figures of all trials and the losses on their way."""
    space = folder / "same_figures.yaml"
    space.write_text(SPACE, "utf-8")
    run(checkout, "-m", "study.run", str(space), "--name", "study", "--storage", str(folder))
    figures: dict[str, Any] = {}
    for file in sorted(folder.glob("study/trials/*/result.json")):
        result = json.loads(file.read_text("utf-8"))
        number = result["number"]
        figures |= {f"trial {number} {key}": value for key, value in result["metrics"].items()}
        history = result["training"]["history"]
        figures |= {f"trial {number} loss at step {report['step']:.0f}": report["loss"] for report in history}
    return figures


def main() -> None:
    """Compare the two checkouts named on the command line."""
    before, after = (Path(argument).resolve() for argument in sys.argv[1:3])
    old, new = (json.loads(run(checkout, "-c", LOSSES).splitlines()[-1]) for checkout in (before, after))
    print("golden losses:", *(f"{float.fromhex(loss):.6f}" for loss in new))
    print(f"golden losses equal to the last bit: {old == new}")
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        were, are = study(before, Path(first)), study(after, Path(second))
    different = [key for key in were if were[key] != are.get(key)]
    for key in different:
        print(f"{key}: {were[key]!r} before, {are.get(key)!r} after")
    print(f"{len(were)} figures of the small study before, {len(are)} after; {len(different)} differ")
    sys.exit(bool(different) or old != new)


if __name__ == "__main__":
    main()
