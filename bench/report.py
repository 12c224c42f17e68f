"""All rows of the table, each in a process of its own, as a dated report under experiments/.

python -m bench.report --checkpoint DIR --data DIR
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import torch

from bench.row import HEADER, Options, Row, options
from study.results.provenance import hardware, versions

ROWS = (
    "encode",
    "backends",
    "training",
    "gradient_caching",
    "metrics",
    "evaluation",
    "start",
    "trial_overhead",
    "two_workers",
    "worker_memory",
)
PEERS = ("sentence-transformers", "mteb", "accelerate")
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"


def measure(name: str, arguments: list[str]) -> list[Row]:
    """Run the script of a row, and return its figures."""
    with tempfile.TemporaryDirectory() as scratch:
        figures = Path(scratch, "rows.json")
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", f"bench.{name}", *arguments, "--json", str(figures)], check=True
        )
        return [Row(**row) for row in json.loads(figures.read_text("utf-8"))]


def write(rows: list[Row], chosen: Options, load: tuple[float, float]) -> Path:
    """Write Markdown and JSON; return the path of the former."""
    machine, used = hardware(), versions() | {name: metadata.version(name) for name in PEERS}
    name = "quick" if chosen.quick else "_".join(str(machine[key]).replace(" ", "-") for key in ("processor", "cores"))
    file = EXPERIMENTS / f"{time.strftime('%Y-%m-%d')}-bench-{name}" / "README.md"
    file.parent.mkdir(exist_ok=True)
    left_out = "" if "bf16" in chosen.precisions else " bf16 is left out, as this processor emulates it."
    about = (
        f"{time.strftime('%Y-%m-%d')}, {machine}, {chosen.threads} threads; checkpoint {Path(chosen.checkpoint).name}; "
        f"XQuAD-R texts; {used}. Load of the machine before: {load[0]:.1f}, after: {load[1]:.1f}. Figures are medians "
        f"over turns, the ratio is the median of the ratios within a turn.{left_out} Made by "
        "`python -m bench.report`.\n"
    )
    table = [HEADER, *(row.markdown() for row in rows), "", *(row.note for row in rows if row.note)]
    text = ["# This study against what people would use instead\n", about, *table]
    file.write_text("\n".join(text).rstrip() + "\n", "utf-8")
    figures = {"hardware": machine, "versions": used, "rows": [vars(row) for row in rows]}
    file.with_name("rows.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return file


if __name__ == "__main__":
    chosen = options()
    before = os.getloadavg()[0]
    rows: list[Row] = []
    for name in ROWS if torch.cuda.device_count() != 1 else (name for name in ROWS if name != "two_workers"):
        rows += measure(name, sys.argv[1:])
        print(write(rows, chosen, (before, os.getloadavg()[0])))  # now, since an hour lies before the last row
