"""sentence-transformers with its ONNX or OpenVINO backend: encodes when it is told to, and says how long it took.

It runs in an environment of its own, as these backends need versions of transformers that the study does not work with
(`make bench` makes them), and therefore imports nothing of the study.

    python bench/peer_backend.py onnx --checkpoint DIR --texts FILE --embeddings FILE --max-tokens 256 --threads 2

Standard input: one line for each turn. Standard output: the batch size that was best, then seconds of each turn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sentence_transformers import SentenceTransformer

BATCH_SIZES = (8, 16, 32, 64, 128)


def load(chosen: argparse.Namespace, scratch: Path) -> SentenceTransformer:
    """Return the model with its backend."""
    threads: dict[str, Any] = {"ov_config": {"INFERENCE_NUM_THREADS": chosen.threads}}
    if chosen.kind != "openvino":
        import onnxruntime  # noqa: PLC0415 - each backend has an environment of its own

        threads = {"session_options": onnxruntime.SessionOptions()}
        threads["session_options"].intra_op_num_threads = chosen.threads
    backend: Literal["onnx", "openvino"] = "openvino" if chosen.kind == "openvino" else "onnx"
    source, kept = chosen.checkpoint, str(scratch / "model")
    if Path(source).is_dir():  # what is exported is written beside the model
        shutil.copytree(source, kept)
        source = kept
    model = SentenceTransformer(source, backend=backend, model_kwargs={"export": True} | threads, device="cpu")
    if chosen.kind != "onnx-int8":
        return model
    from sentence_transformers import export_dynamic_quantized_onnx_model  # noqa: PLC0415 - likewise

    model.save_pretrained(kept)
    export_dynamic_quantized_onnx_model(model, "avx2", kept)
    file = {"file_name": "onnx/model_quint8_avx2.onnx"}
    return SentenceTransformer(kept, backend="onnx", model_kwargs=file | threads, device="cpu")


def main() -> None:
    """Load, find the best batch size, then take turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["onnx", "onnx-int8", "openvino"])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    chosen = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(chosen.threads)  # the tokenizer's
    texts = json.loads(chosen.texts.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        model = load(chosen, Path(scratch))
        model.max_seq_length = chosen.max_tokens

        def seconds(size: int) -> float:
            before = time.perf_counter()
            embeddings = model.encode(texts, batch_size=size, normalize_embeddings=True)
            took = time.perf_counter() - before
            np.save(chosen.embeddings, embeddings)
            return took

        seconds(BATCH_SIZES[0])
        best = min(BATCH_SIZES, key=seconds)
        print(best, flush=True)
        for _ in sys.stdin:
            print(seconds(best), flush=True)


if __name__ == "__main__":
    main()
