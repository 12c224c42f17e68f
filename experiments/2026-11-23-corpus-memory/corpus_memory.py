"""Memory and time of training on a parallel corpus of two million rows: conversion, opening, 1,000 batches.

    python experiments/2026-11-23-corpus-memory/corpus_memory.py

The corpus is made up: all rows in Arabic and English, three quarters also in Thai, half also in Chinese; queries of 60
characters and passages of 300, some 4 GB of text. It goes through `tasks/corpora/parallel_jsonl.py` and the hybrid
sampler (batch size 100, alpha 0.5) as in a trial, in two workers at once, each a fresh process; only the encoder is
left out, whose memory is another matter. Memory is the resident set, mapped pages of files included, from Linux.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np

from study.config import TrialConfig
from study.results.layout import hardware
from study.training.sampler import HybridSampler
from tasks.corpora import parallel_jsonl

ROWS, BATCHES, BATCH_SIZE, WORKERS = 2_000_000, 1000, 100, 2
QUERY, PASSAGE = 60, 300
"""Characters."""
ALPHABETS = {"ar": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي ", 1), "en": ("abcdefghijklmnopqrstuvwxyz ", 1)} | {
    "th": ("กขคงจฉชซญฎดตถทธนบปผฝพฟภมยรลวศษสหอฮะาิีึืุูเแโใไ", 4),
    "zh": ("天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏閏餘成歲律呂調陽", 2),
}
"""Language -> its letters, and which rows have it: every first, second or, for 4, three of four."""


def write_corpus(file: Path, rows: int) -> None:
    """Write the corpus."""
    rng = np.random.default_rng(0)
    texts = {language: _text(letters, rng) for language, (letters, _) in ALPHABETS.items()}
    starts = rng.integers(0, 100_000 - PASSAGE, (rows, 2))
    with file.open("w", encoding="utf-8") as out:
        for row, (query, passage) in enumerate(starts.tolist()):
            pairs = {
                language: {
                    "query": f"{row} {text[query : query + QUERY]}",
                    "passage": f"{row} {text[passage : passage + PASSAGE]}",
                }
                for language, text in texts.items()
                if _has(language, row)
            }
            out.write(json.dumps({"id": str(row), "pairs": pairs}, ensure_ascii=False) + "\n")


def _text(letters: str, rng: np.random.Generator) -> str:
    return "".join(letters[i] for i in rng.integers(0, len(letters), 100_000))


def _has(language: str, row: int) -> bool:
    share = ALPHABETS[language][1]
    return row % 4 < 3 if share == 4 else row % share == 0


def memory(key: str) -> int:
    """Return a figure of this process's memory in MiB: VmRSS, RssAnon, RssFile or VmHWM (the peak)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key + ":"))


def draw(file: Path) -> dict[str, float]:
    """Open the corpus, draw the batches, and return what it took."""
    before, began = memory("VmRSS"), time.perf_counter()
    corpus = parallel_jsonl.load(path=file)
    sampler = HybridSampler([corpus], TrialConfig(batch_size=BATCH_SIZE, steps=BATCHES))
    seconds = []
    for step in range(BATCHES):
        plan = sampler.batch(step)
        corpus.keys(plan.rows)
        corpus.pairs(plan.rows, plan.query_languages, plan.passage_languages)
        seconds.append(time.perf_counter() - began)
    return {
        "MiB before opening": before,
        "peak MiB": memory("VmHWM"),
        "MiB at the end": memory("VmRSS"),
        "of these mapped files": memory("RssFile"),
        "first batch s": round(seconds[0], 2),
        "ms a batch": round((seconds[-1] - seconds[0]) / (BATCHES - 1) * 1000, 2),
    }


def convert(file: Path) -> dict[str, float]:
    """Convert the corpus and return what it took."""
    began = time.perf_counter()
    parallel_jsonl.load(path=file)
    return {"conversion s": round(time.perf_counter() - began, 1), "peak MiB": memory("VmHWM")}


def in_processes(action: str, file: Path, count: int) -> list[dict[str, float]]:
    """Return what `count` fresh processes measured, all at the same time."""
    command = [sys.executable, __file__, "--action", action, "--file", str(file)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return [json.loads(process.communicate()[0]) for process in running]


def table(measured: list[dict[str, float]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [list(measured[0]), ["---"] * len(measured[0]), *([f"{v:g}" for v in m.values()] for m in measured)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(rows: int) -> None:
    """Measure, and print a report in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STUDY_CACHE"] = f"{folder}/cache"
        file = Path(folder, "corpus.jsonl")
        write_corpus(file, rows)
        print("# Memory of a large parallel corpus\n")
        print(f"{time.strftime('%Y-%m-%d')}, {hardware()}\n")
        print(f"{rows:,} rows, {file.stat().st_size / 1e9:.1f} GB of JSON lines; batch size {BATCH_SIZE}\n")
        print("## Conversion\n\n" + table(in_processes("convert", file, 1)) + "\n")
        converted = sum(one.stat().st_size for one in Path(folder, "cache").rglob("*") if one.is_file())
        print(f"Converted: {converted / 1e9:.1f} GB\n")
        print(f"## {BATCHES:,} batches from a warm cache, {WORKERS} workers at once\n")
        print(table(in_processes("draw", file, WORKERS)))


def main() -> None:
    """Report, or be one of the processes that are measured."""
    parser = ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--action", choices=("convert", "draw"))
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.action:
        print(json.dumps({"convert": convert, "draw": draw}[asked.action](asked.file)))
    else:
        report(asked.rows)


if __name__ == "__main__":
    main()
