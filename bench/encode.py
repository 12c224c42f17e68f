"""Encoding: texts a second against `SentenceTransformer.encode` at its best batch size, in fp32 and in bf16.

python -m bench.encode --checkpoint DIR --data DIR
"""

from __future__ import annotations

import torch
from sentence_transformers import SentenceTransformer

from bench.row import Options, Row, finish, in_turn, options, ratio, timed
from bench.texts import MAX_TOKENS, passages, trial
from study.config import Precision
from study.model.backbone import load_encoder
from study.retrieval.encode import encode

PROMPT = "passage: "
BATCH_SIZES = {"cpu": (8, 16, 32, 64, 128), "cuda": (32, 128, 512, 2048)}
TEXTS = {"cpu": 768, "cuda": 12_288}


def measure(chosen: Options, precision: Precision) -> Row:
    """Encode the same passages with both."""
    texts = passages(chosen, 32 if chosen.quick else TEXTS[chosen.device.type])
    config = trial(chosen, passage_prefix=PROMPT, precision=precision)
    encoder = load_encoder(config, chosen.device)
    peer = SentenceTransformer(
        chosen.checkpoint,
        device=chosen.device.type,
        model_kwargs={"dtype": torch.bfloat16 if precision == "bf16" else torch.float32},
    )
    peer.max_seq_length = MAX_TOKENS

    def ours() -> object:
        return encode(encoder, texts, "passage", config.micro_batch_tokens)

    def theirs(batch_size: int) -> object:
        return peer.encode(texts, batch_size=batch_size, prompt=PROMPT, convert_to_tensor=True)

    sizes = (32,) if chosen.quick else BATCH_SIZES[chosen.device.type]
    best = min(sizes, key=lambda size: timed(lambda: theirs(size)).wall)
    took, peers = in_turn(lambda: timed(ours), lambda: timed(lambda: theirs(best)), chosen.repetitions)
    return Row(
        f"encode, {precision}",
        f"SentenceTransformer.encode, batch {best}",
        "texts/s",
        more_is_better=True,
        goal=2,
        ours=[len(texts) / seconds.wall for seconds in took],
        theirs=[len(texts) / seconds.wall for seconds in peers],
        cpu_advantage=ratio([seconds.cpu for seconds in peers], [seconds.cpu for seconds in took]),
    )


if __name__ == "__main__":
    chosen = options()
    finish((measure(chosen, precision) for precision in ("fp32", "bf16")), chosen)
