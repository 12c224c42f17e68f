"""Peak memory and time of an evaluation as the corpus grows: 100 thousand and one million passages, 1,000 queries.

    python experiments/2026-11-24-evaluation-memory/evaluation_memory.py      (under half an hour on two cores)

Synthetic passages of about 60 characters lie as BEIR files in a folder of their own and are read by `local`; each size
is measured in a process of its own, by `builtin/xlmr-tiny`, once its files are converted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = (100_000, 1_000_000)
QUERIES = 1_000
WORDS = ["แม่น้ำ", "ภูเขา", "เมือง", "ทะเล", "ตะวัน", "ถนน", "บ้าน", "คืน", "กษัตริย์", "ปี", "หนังสือ", "จันทร์"]


def write(folder: Path, passages: int) -> None:
    """Write a benchmark of one language; query i is answered by a random passage and shares its words."""
    random = np.random.default_rng(0)
    (folder / "th").mkdir(parents=True)
    answers = set(random.choice(passages, QUERIES, replace=False).tolist())
    queries, qrels = [], ["query-id\tcorpus-id\tscore"]
    with (folder / "th" / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
        for row, words in enumerate(random.integers(0, len(WORDS), (passages, 8)).tolist()):
            text = f"{row} " + " ".join(WORDS[word] for word in words)
            corpus.write(json.dumps({"_id": f"p{row}", "text": text}, ensure_ascii=False) + "\n")
            if row in answers:
                queries.append({"_id": f"q{row}", "text": text[: len(text) // 2]})
                qrels.append(f"q{row}\tp{row}\t1")
    lines = (json.dumps(query, ensure_ascii=False) + "\n" for query in queries)
    (folder / "th" / "queries.jsonl").write_text("".join(lines), "utf-8")
    (folder / "th" / "qrels.tsv").write_text("\n".join(qrels) + "\n", "utf-8")


def measure(folder: str) -> None:
    """Evaluate in this process, and print seconds and peak memory as JSON."""
    import torch  # noqa: PLC0415 - only in the processes that measure

    from study.config import TrialConfig  # noqa: PLC0415
    from study.config_sections import BenchmarkConfig  # noqa: PLC0415
    from study.model.backbone import load_encoder  # noqa: PLC0415
    from study.retrieval.evaluation import evaluate  # noqa: PLC0415
    from study.retrieval.measurement import encoding, load  # noqa: PLC0415

    config = TrialConfig(micro_batch_tokens=2048)
    benchmark = load(BenchmarkConfig(name="local", options={"path": folder}))
    encoder = load_encoder(config, torch.device("cpu"))
    began, worked = time.monotonic(), time.process_time()
    metrics = evaluate(encoder, benchmark, encoding(encoder, config)).metrics
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "processor": time.process_time() - worked,  # which other work on the machine disturbs less
                "peak": peak,
                "recall": metrics["local/monolingual/recall@10"],
            }
        )
    )


def main() -> None:
    """Measure both sizes and print a table."""
    from study.results.layout import hardware, versions  # noqa: PLC0415
    from tasks.plugins import load_benchmark  # noqa: PLC0415

    print(f"# Memory of an evaluation\n\n{time.strftime('%Y-%m-%d')}, {hardware()}, {versions()}\n")
    print("| passages | seconds | processor seconds | passages/s | peak MiB | recall@10 |")
    print("|" + " ---: |" * 6)
    held = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in SIZES:
            folder = Path(scratch) / str(size)
            write(folder, size)
            load_benchmark("local", {"path": folder})  # converts the files
            command = [sys.executable, "-m", "results.evaluation_memory", str(folder)]
            held.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
            seconds, processor, peak, recall = held[-1].values()
            row = (f"{size:,}", f"{seconds:.1f}", f"{processor:.1f}", f"{size / seconds:,.0f}", f"{peak:.0f}")
            print(f"| {' | '.join(row)} | {recall:.3f} |", flush=True)
    small, large = held
    print(f"\nPeak memory at 1,000,000 over 100,000: {large['peak'] / small['peak']:.3f}; ", end="")
    print(f"time a passage: {large['seconds'] / small['seconds'] / 10:.3f}, ", end="")
    print(f"in processor seconds: {large['processor'] / small['processor'] / 10:.3f}")


if __name__ == "__main__":
    measure(sys.argv[1]) if sys.argv[1:] else main()
