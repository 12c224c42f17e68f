"""sentence-transformers with its ONNX or OpenVINO backend: encodes when it is told to, and says how long it took.

It runs in an environment of its own, as these backends need versions of transformers that the study does not work with
(`make bench` makes them), and therefore imports nothing of the study.

    python bench/peer_backend.py onnx --checkpoint DIR --texts FILE --embeddings FILE

Standard input: one line for each turn. Standard output: the batch size that was best, then seconds of each turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

BATCH_SIZES = (8, 16, 32, 64, 128)


def load(kind: str, checkpoint: str, scratch: Path) -> SentenceTransformer:
    """Return the model with a backend: onnx, onnx-int8 or openvino."""
    folder = scratch / "model"
    shutil.copytree(checkpoint, folder)
    model = SentenceTransformer(
        str(folder),
        backend="openvino" if kind == "openvino" else "onnx",
        model_kwargs={"export": True},
        device="cpu",
    )
    if kind != "onnx-int8":
        return model
    from sentence_transformers import export_dynamic_quantized_onnx_model  # noqa: PLC0415 - not in every environment

    model.save_pretrained(str(folder))
    export_dynamic_quantized_onnx_model(model, "avx2", str(folder))
    file = {"file_name": "onnx/model_quint8_avx2.onnx"}
    return SentenceTransformer(str(folder), backend="onnx", model_kwargs=file, device="cpu")


def main() -> None:
    """Load, find the best batch size, then take turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["onnx", "onnx-int8", "openvino"])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    chosen = parser.parse_args()
    texts = json.loads(chosen.texts.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        model = load(chosen.kind, chosen.checkpoint, Path(scratch))
        model.max_seq_length = chosen.max_tokens

        def seconds(size: int) -> float:
            before = time.perf_counter()
            np.save(chosen.embeddings, model.encode(texts, batch_size=size, normalize_embeddings=True))
            return time.perf_counter() - before

        seconds(BATCH_SIZES[0])
        best = min(BATCH_SIZES, key=seconds)
        print(best, flush=True)
        for _ in sys.stdin:
            print(seconds(best), flush=True)


if __name__ == "__main__":
    main()
