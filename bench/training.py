"""Training: pairs a second against SentenceTransformerTrainer with MultipleNegativesRankingLoss, batch 32.

    python -m bench.training --checkpoint DIR --data DIR

Both train on the same pairs with dropout, AdamW and gradient clipping. The first step of a turn does not count: it
makes the optimizer's state.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from transformers import TrainerCallback

from bench.row import Options, Row, Seconds, finish, in_turn, options, ratio
from bench.texts import MAX_TOKENS, training_trial
from study.config import Precision, TrialConfig
from study.corpora import training_corpora
from study.model.backbone import load_encoder
from study.training.loop import Training
from study.training.sampler import HybridSampler
from tasks.schema import Corpus

TEMPERATURE = 0.05
PROMPTS = {"query": "query: ", "passage": "passage: "}
MINI_BATCH = 32


class Clock(TrainerCallback):
    """Reads wall and processor clocks after every step."""

    def __init__(self) -> None:
        self.ticks: list[Seconds] = []

    def tick(self) -> None:
        """Read both clocks."""
        self.ticks.append(Seconds(time.perf_counter(), time.process_time()))

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Be called by the trainer."""
        self.tick()

    @property
    def after_first(self) -> Seconds:
        """Return what the steps after the first took."""
        first, last = self.ticks[0], self.ticks[-1]
        return Seconds(last.wall - first.wall, last.cpu - first.cpu)


def measure(chosen: Options, precision: Precision, *, batch_size: int = 32, caching: bool = False) -> Row:
    """Train the same checkpoint on the same pairs with both."""
    steps = 3 if chosen.quick else 1 + max(2, 160 // batch_size)
    with tempfile.TemporaryDirectory() as scratch:
        config = training_trial(
            chosen,
            Path(scratch),
            batch_size=batch_size,
            steps=steps,
            temperature=TEMPERATURE,
            precision=precision,
            gradient_caching=caching,
            query_prefix=PROMPTS["query"],
            passage_prefix=PROMPTS["passage"],
        )
        corpus = training_corpora(config)[0]
        encoder = load_encoder(config, chosen.device)
        peer = SentenceTransformer(chosen.checkpoint, device=chosen.device.type)
        peer.max_seq_length = MAX_TOKENS
        dataset = same_pairs(config, corpus)

        def ours() -> Seconds:
            clock = Clock()
            for _ in Training(config, encoder, [corpus]).run():
                clock.tick()
            return clock.after_first

        def theirs() -> Seconds:
            clock = Clock()
            trainer(config, peer, dataset, clock, Path(scratch)).train()
            return clock.after_first

        took, peers = in_turn(ours, theirs, chosen.repetitions)
    pairs = (steps - 1) * batch_size
    loss = f"CachedMultipleNegativesRankingLoss, mini-batch {MINI_BATCH}" if caching else "MultipleNegativesRankingLoss"
    return Row(
        f"training{' with gradient caching' if caching else ''}, batch {batch_size}, {precision}",
        f"SentenceTransformerTrainer, {loss}",
        "pairs/s",
        more_is_better=True,
        goal=1.5 if caching else 1.4,
        ours=[pairs / seconds.wall for seconds in took],
        theirs=[pairs / seconds.wall for seconds in peers],
        cpu_advantage=ratio([seconds.cpu for seconds in peers], [seconds.cpu for seconds in took]),
    )


def same_pairs(config: TrialConfig, corpus: Corpus) -> Dataset:
    """Return the pairs our sampler draws over all steps."""
    sampler = HybridSampler([corpus], config)
    plans = [sampler.batch(step) for step in range(config.steps)]
    drawn = [pair for plan in plans for pair in corpus.pairs(plan.rows, plan.query_languages, plan.passage_languages)]
    return Dataset.from_dict({"query": [pair.query for pair in drawn], "passage": [pair.passage for pair in drawn]})


def trainer(
    config: TrialConfig, peer: SentenceTransformer, dataset: Dataset, clock: Clock, folder: Path
) -> SentenceTransformerTrainer:
    """Return the peer's trainer with our settings, and nothing that would slow it down."""
    loss: Any = (
        CachedMultipleNegativesRankingLoss(peer, scale=1 / TEMPERATURE, mini_batch_size=MINI_BATCH)
        if config.gradient_caching
        else MultipleNegativesRankingLoss(peer, scale=1 / TEMPERATURE)
    )
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "peer"),
        per_device_train_batch_size=config.batch_size,
        max_steps=config.steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        prompts=PROMPTS,
        bf16=config.precision == "bf16",
        use_cpu=peer.device.type == "cpu",
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    return SentenceTransformerTrainer(model=peer, args=arguments, train_dataset=dataset, loss=loss, callbacks=[clock])


if __name__ == "__main__":
    chosen = options()
    finish((measure(chosen, precision) for precision in chosen.precisions), chosen)
