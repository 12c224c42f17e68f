"""Encoding: texts a second against `SentenceTransformer.encode` at its best batch size, in fp32 and in bf16.

A second row in each precision compares with the matrix products of the same tokens alone, which no encoder can pass.

python -m bench.encode --checkpoint DIR --data DIR
"""

from __future__ import annotations

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from bench.row import Options, Row, finish, in_turn, options, ratio, timed
from bench.texts import MAX_TOKENS, passages, trial
from study.batching import encoding_tokens
from study.config import Precision
from study.model.backbone import load_encoder
from study.retrieval.encode import encode

PROMPT = "passage: "
BATCH_SIZES = {"cpu": (8, 16, 32, 64, 128), "cuda": (32, 128, 512, 2048)}
TEXTS = {"cpu": 768, "cuda": 12_288}
SAMPLE = 3
"""The best batch size is chosen on every third text, as on all it would take longer than the turns themselves."""


def measure(chosen: Options, precision: Precision) -> list[Row]:
    """Encode the same passages with both, and compute the products of their linear layers alone."""
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

    def theirs(batch_size: int, share: int = 1) -> object:
        return peer.encode(texts[::share], batch_size=batch_size, prompt=PROMPT, convert_to_tensor=True)

    layers = [module for module in encoder.transformer.modules() if isinstance(module, nn.Linear)]
    tokens = sum(map(len, encoder.tokenize(texts, "passage")))
    operations = 2 * tokens * sum(layer.weight.numel() for layer in layers)
    budget = config.micro_batch_tokens or encoding_tokens(chosen.device)
    batches = [min(budget, tokens - start) for start in range(0, tokens, budget)]
    inputs = {layer.in_features: torch.randn(budget, layer.in_features, device=chosen.device) for layer in layers}
    autocast = torch.autocast(chosen.device.type, dtype=torch.bfloat16, enabled=encoder.bf16)
    if encoder.bf16:
        inputs = {width: x.bfloat16() for width, x in inputs.items()}

    def multiply() -> None:
        encoder.eval()
        with torch.no_grad(), autocast:
            for size in batches:
                for layer in layers:
                    layer(inputs[layer.in_features][:size])

    sizes = (32,) if chosen.quick else BATCH_SIZES[chosen.device.type]
    best = min(sizes, key=lambda size: timed(lambda: theirs(size, SAMPLE)).wall)
    took, peers = in_turn(lambda: timed(ours), lambda: timed(lambda: theirs(best)), chosen.repetitions)
    products, peers_products = in_turn(lambda: timed(ours), lambda: timed(multiply), chosen.repetitions)
    throughput = Row(
        f"encode, {precision}",
        f"SentenceTransformer.encode, batch {best}",
        "texts/s",
        more_is_better=True,
        goal=2,
        ours=[len(texts) / seconds.wall for seconds in took],
        theirs=[len(texts) / seconds.wall for seconds in peers],
        cpu_advantage=ratio([seconds.cpu for seconds in peers], [seconds.cpu for seconds in took]),
    )
    share = Row(
        f"encode, {precision}, products of linear layers",
        "these products alone",
        "GFLOP/s",
        more_is_better=True,
        goal=0.75,
        ours=[operations / seconds.wall / 1e9 for seconds in products],
        theirs=[operations / seconds.wall / 1e9 for seconds in peers_products],
    )
    return [throughput, share]


if __name__ == "__main__":
    chosen = options()
    finish((row for precision in chosen.precisions for row in measure(chosen, precision)), chosen)
