"""ASHA against no scheduler on the quickstart, one after the other in one sitting.

    python experiments/2026-11-24-asha-quickstart/asha_quickstart.py

Both validate every 60 steps instead of every 180, so that ASHA has rungs at 60, 120 and 240 of 360 steps; all else is
the quickstart's. Wall time is that of the study itself, which starts Ray before it begins to count.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import yaml

from study.analysis.leaderboard import ranked
from study.results.layout import finished, hardware
from study.space import study_config

OBJECTIVE = "validation/multilingual/map"
SCHEDULERS: dict[str, Any] = {"none": "none", "asha": {"name": "asha", "min_steps": 60, "reduction_factor": 2}}


def measure(name: str, folder: Path) -> str:
    """Run the study with a scheduler; return its row."""
    source = yaml.safe_load((study_config.SHIPPED / "quickstart.yaml").read_text("utf-8"))
    source["trial"]["validation"]["every"] = 60
    source["scheduler"] = SCHEDULERS[name]
    space = folder / f"{name}.yaml"
    space.write_text(yaml.safe_dump(source), "utf-8")
    command = [sys.executable, "-m", "study.run", str(space), "--storage", str(folder), "--name", name]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = re.findall(r"evaluated.* in (\d+) s", ended.stdout)[0]
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/{name}/optuna.db")
    steps = [max(trial.intermediate_values) for trial in study.trials]
    states = [trial.state.name for trial in study.trials]
    best = ranked(finished(str(folder / name)), OBJECTIVE)[0]
    config, metrics = best["config"], best["metrics"]
    winner = f"{config['backbone']} alpha {config['alpha']:.3g} temperature {config['temperature']:.3g}"
    cells = (
        *(name, seconds, sum(steps), states.count("COMPLETE"), states.count("PRUNED"), f"{best['number']}: {winner}"),
        *(f"{metrics[key]:.4f}" for key in (OBJECTIVE, "factbook/multilingual/map")),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table."""
    print(f"# ASHA on the quickstart, {time.strftime('%Y-%m-%d')}\n\n{hardware()}; `asha_quickstart.py`\n")
    print("| scheduler | seconds | steps trained | complete | stopped early | winner | validation mAP | test mAP |")
    print("| :-- | --: | --: | --: | --: | :-- | --: | --: |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in SCHEDULERS:
            print(measure(name, Path(scratch)), flush=True)


if __name__ == "__main__":
    main()
