"""Encoding in fp32: texts a second against sentence-transformers with its ONNX and OpenVINO backends, on a CPU.

int8 is a row of its own: what it gives is another vector, and the row says how far it is from that in fp32.

python -m bench.backends --checkpoint DIR --data DIR
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch

from bench.encode import PROMPT
from bench.row import Options, Row, Seconds, finish, in_turn, options, timed
from bench.texts import MAX_TOKENS, passages, trial
from study.model.backbone import load_encoder
from study.retrieval.encode import encode

ENVIRONMENTS = Path(__file__).resolve().parents[1] / ".venv"
"""`make bench` puts an environment of its own for each backend there."""
TEXTS = 256
GOALS = {"onnx": 2.0, "openvino": 2.0, "onnx-int8": 1.0}


class Peer(NamedTuple):
    """A process that encodes the same texts when it is told to."""

    ask: IO[str]
    answers: IO[str]
    batch_size: int

    def turn(self) -> Seconds:
        """Encode once."""
        self.ask.write("\n")
        self.ask.flush()
        return Seconds(float(self.answers.readline()), 0)


@contextmanager
def started(kind: str, chosen: Options, texts: list[str], folder: Path) -> Iterator[Peer]:
    """Start a peer in its own environment."""
    file = folder / "texts.json"
    file.write_text(json.dumps([PROMPT + text for text in texts]), "utf-8")
    python = ENVIRONMENTS / kind.partition("-")[0] / "bin" / "python"
    script = Path(__file__).with_name("peer_backend.py")
    command = [str(python), str(script), kind, "--checkpoint", chosen.checkpoint, "--max-tokens", str(MAX_TOKENS)]
    command += ["--texts", str(file), "--embeddings", str(folder / "theirs.npy"), "--threads", str(chosen.threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        yield Peer(process.stdin, process.stdout, int(process.stdout.readline()))
        process.stdin.close()


def measure(chosen: Options, kind: str) -> Row:
    """Encode the same passages with both."""
    texts = passages(chosen, 32 if chosen.quick else TEXTS)
    config = trial(chosen, passage_prefix=PROMPT, precision="fp32")
    encoder = load_encoder(config, torch.device("cpu"))
    expected = encode(encoder, texts, "passage", None).cpu().numpy()
    with tempfile.TemporaryDirectory() as scratch, started(kind, chosen, texts, Path(scratch)) as peer:
        took, peers = in_turn(
            lambda: timed(lambda: encode(encoder, texts, "passage", None)), peer.turn, chosen.repetitions
        )
        cosine = float((expected * np.load(Path(scratch, "theirs.npy"))).sum(1).min())
    return Row(
        f"encode, fp32, beside {kind}" + (" (approximate)" if kind.endswith("int8") else ""),
        f"SentenceTransformer.encode, backend {kind}, batch {peer.batch_size}",
        "texts/s",
        more_is_better=True,
        goal=GOALS[kind],
        ours=[len(texts) / seconds.wall for seconds in took],
        theirs=[len(texts) / seconds.wall for seconds in peers],
        note=f"{kind}: smallest cosine to our fp32 {cosine:.5f}.",
    )


if __name__ == "__main__":
    chosen = options()
    finish((measure(chosen, kind) for kind in GOALS), chosen)
