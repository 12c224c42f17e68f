"""Memory of a large global batch: 64 pairs and 4,096, with gradient caching and without, on two processes.

    python experiments/2026-11-23-batch-memory/batch_memory.py

Each setting trains three steps of `builtin/xlmr-tiny` in two fresh processes (gloo, DDP) on a made-up parallel corpus;
figures are the largest resident set of either process, from Linux, and what it was before the first step. Caching
bounds the transformer's part by the micro-batch; what still grows with the batch are its texts and the scores of a
process's queries with all passages, 2,048 x 4,096 numbers and a few copies of them. Loss and gradient are the same with
caching as without: that is a test (tests/study/training/test_step.py).
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.results.layout import hardware
from study.training.loop import Training
from tasks.corpora import parallel_jsonl

WORKERS, ROWS, STEPS, MICRO_BATCH = 2, 8192, 3, 1024
LANGUAGES = {
    "en": "abcdefghijklmnopqrstuvwxyz",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "th": "กขคงจชซญดตถทนบปผพฟภมยรลวสหอ",
}
SETTINGS = ((64, True), (4096, True), (64, False), (4096, False))
"""Pairs a step, and whether gradients are cached."""


def write_corpus(file: Path) -> None:
    """Write rows of made-up words, a passage some four times as long as its query."""
    rng = random.Random(0)  # noqa: S311 - no secret

    def text(letters: str, words: int) -> str:
        return " ".join("".join(rng.choices(letters, k=rng.randint(2, 8))) for _ in range(words))

    with file.open("w", encoding="utf-8") as out:
        for _ in range(ROWS):
            pairs = {la: {"query": text(held, 8), "passage": text(held, 30)} for la, held in LANGUAGES.items()}
            out.write(json.dumps({"pairs": pairs}, ensure_ascii=False) + "\n")


def memory(key: str) -> int:
    """Return VmRSS or VmHWM (the peak) of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key + ":"))


def train(folder: Path, rank: int, batch_size: int, *, caching: bool) -> dict[str, Any]:
    """Train as one of the processes; return its memory and the losses."""
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting-{batch_size}-{caching}"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=WORKERS)
    settings = {"batch_size": batch_size, "gradient_caching": caching, "steps": STEPS, "learning_rate": 3e-3}
    config = TrialConfig.model_validate(
        settings | {"micro_batch_tokens": MICRO_BATCH, "validation": {"every": 1}, "resources": {"workers": WORKERS}}
    )
    encoder = load_encoder(config, torch.device("cpu"))
    training = Training(config, encoder, [parallel_jsonl.load(path=folder / "corpus.jsonl")])
    before = memory("VmRSS")
    losses = [report.metrics["loss"] for report in training.run()]
    dist.destroy_process_group()
    return {"before": before, "peak": memory("VmHWM"), "losses": losses}


def measured(folder: Path, batch_size: int, *, caching: bool) -> str:
    """Return a row of the table from one setting's processes."""
    command = [sys.executable, __file__, "--folder", str(folder), "--batch-size", str(batch_size)]
    commands = [command + ["--caching"] * caching + ["--rank", str(rank)] for rank in range(WORKERS)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    held = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    before, peak = (max(one[key] for one in held) for key in ("before", "peak"))
    losses = " ".join(f"{loss:.4f}" for loss in held[0]["losses"])
    cells = [f"{batch_size:,}", "yes" if caching else "no", f"{before:,}", f"{peak:,}", f"{peak - before:,}", losses]
    return f"| {' | '.join(cells)} |"


def report() -> None:
    """Measure, and print a report in Markdown."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_corpus(folder / "corpus.jsonl")
        parallel_jsonl.load(path=folder / "corpus.jsonl")
        print("# Memory of a global batch of 4,096 pairs\n")
        print(f"{time.strftime('%Y-%m-%d')}, {hardware()}\n")
        print(f"{WORKERS} processes, micro-batches of {MICRO_BATCH:,} padded tokens, {STEPS} steps; largest process\n")
        print("| pairs a step | gradient caching | MiB before training | peak MiB | growth MiB | losses |")
        print("| --- | --- | --- | --- | --- | --- |")
        for batch_size, caching in SETTINGS:
            print(measured(folder, batch_size, caching=caching))


def main() -> None:
    """Report, or be one of the processes that are measured."""
    parser = ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--caching", action="store_true")
    asked = parser.parse_args()
    if asked.folder:
        print(json.dumps(train(asked.folder, asked.rank, asked.batch_size, caching=asked.caching)))
    else:
        report()


if __name__ == "__main__":
    main()
