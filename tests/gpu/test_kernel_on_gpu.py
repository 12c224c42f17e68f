"""Encoding, training and counting on a GPU against the same on the CPU, where everything else is tested."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from study.config import TrialConfig
from study.config_sections import CentringConfig, RunFiles
from study.model import packing
from study.model.encoder import Encoder
from study.model.lora import add_adapters
from study.model.tokens import Spans
from study.retrieval import evaluation_checkpoint
from study.retrieval.centring import LanguageMeans
from study.retrieval.encode import Encoding, encode
from study.retrieval.evaluation import Centring, Evaluation, Extras, Outputs, evaluate_views
from study.retrieval.mined_file import claimed, write
from study.retrieval.mining import Miner, Rule
from study.training import checkpoint, memory
from study.training.loop import Training
from tests import dropout_oracle
from tests.gpu.device import GPU
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

LANGUAGES = ("ar", "th", "zh")
TEXTS = ["กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "北京是中华人民共和国的首都", "القاهرة عاصمة مصر", "山"] * 9


@pytest.fixture(autouse=True)
def without_tf32() -> Iterator[None]:
    """The comparison is with float32 on the CPU."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_embeddings_are_those_of_the_cpu(pooling: str) -> None:
    on_cpu = encode(toy_encoder(pooling=pooling), TEXTS, "passage", 300)
    on_gpu = encode(toy_encoder(pooling=pooling).to(GPU), TEXTS, "passage", 300)
    assert on_gpu.device.type == GPU
    assert (on_gpu.cpu() - on_cpu).abs().max() < 1e-5


def test_bfloat16_embeddings_point_where_those_in_float32_do() -> None:
    encoder = toy_encoder()
    on_cpu = encode(encoder, TEXTS, "passage", 300)
    encoder.bf16 = True
    on_gpu = encode(encoder.to(GPU), TEXTS, "passage", 300)
    assert on_gpu.dtype == torch.float32
    assert (on_gpu.cpu() * on_cpu).sum(dim=1).min() > 0.999


@pytest.mark.parametrize("bf16", [False, True])
def test_batches_without_padding_are_those_with_it_and_so_are_their_gradients(bf16: bool) -> None:
    found = []
    for packed in (False, True):
        encoder = toy_encoder(packed=packed).to(GPU)
        encoder.bf16 = bf16
        embedding_BD = encoder.embed(encoder.tokenize(TEXTS, "passage"))
        weight_BD = torch.linspace(-1, 1, embedding_BD.numel(), device=GPU).view_as(embedding_BD)
        torch.autograd.backward((embedding_BD * weight_BD).sum())
        gradient = torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None])
        found.append((embedding_BD.detach(), gradient))
    (padded, expected), (packed_, actual) = found
    assert (packed_ * padded).sum(dim=1).min() > (0.999 if bf16 else 0.999999)
    assert (actual - expected).norm() < (0.1 if bf16 else 1e-4) * expected.norm()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_attention_drops_out_by_the_seed_alone_with_a_graph_and_without(bf16: bool, packed: bool) -> None:
    torch.backends.cuda.enable_cudnn_sdp(False)  # as `load_encoder` does
    encoder = toy_encoder(dropout=0.5, packed=packed).to(GPU).train()
    encoder.bf16 = bf16
    encoder.transformer.embeddings.dropout.p = 0.0
    for layer in encoder.transformer.encoder.layer:
        layer.output.dropout.p = layer.attention.output.dropout.p = 0.0  # what is left is dropout of attention
    tokens = encoder.collate(encoder.tokenize(TEXTS, "passage")).to(torch.device(GPU))
    one, again, other = (encoder([tokens], [seed]).detach() for seed in (1, 1, 2))
    with torch.no_grad():
        without = encoder([tokens], [1])
    assert torch.equal(one, again)
    assert torch.equal(one, without)
    assert not torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str)
def test_attention_with_dropout_has_the_gradients_of_the_scores_that_were_kept(
    dtype: torch.dtype, tolerance: float
) -> None:
    dropout_oracle.check(packing._on_gpu, GPU, dtype, tolerance)


@pytest.mark.parametrize("lengths", [[90, 40, 40, 7], [2048, *[16] * 400]], ids=["few", "more than 32 bits number"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_backward_pass_drops_what_the_forward_pass_dropped(lengths: list[int], dtype: torch.dtype) -> None:
    """Attention is linear in the values, so with the same dropout in both passes these sums are equal."""
    heads, tokens = 12, sum(lengths)
    query, key, value = (
        torch.randn(1, heads, tokens, 32, device=GPU, dtype=dtype, requires_grad=True) for _ in range(3)
    )
    bounds_B1 = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=GPU)
    out, _ = packing.attend(
        nn.Identity(), query, key, value, None, spans=Spans(lengths, bounds_B1), scaling=0.2, dropout=0.5
    )
    weight = torch.randn_like(out)
    torch.autograd.backward((out * weight).sum())
    assert value.grad is not None
    by_value, by_output = ((a.double() * b.double()).sum().item() for a, b in ((value.grad, value), (out, weight)))
    assert by_value == pytest.approx(by_output, abs=1e-3 * (out.double() * weight.double()).abs().sum().item())


def training(device: str, *, dropout: float = 0.0, **changes: Any) -> Training:
    settings = {"batch_size": 8, "steps": 6, "learning_rate": 1e-3, "validation": {"every": 3}, "temperature": 0.2}
    config = TrialConfig.model_validate(settings | {"micro_batch_tokens": 400} | changes)
    encoder = toy_encoder(dropout=dropout)
    if config.lora:
        add_adapters(encoder, config.lora, config.seed)
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:  # at zero, as they start, the other half has no gradient
                nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(len(name)))
    corpus = ToyCorpus("toy", [LANGUAGES] * 40, [row // 2 for row in range(40)], negatives=config.hard_negatives)
    return Training(config, encoder.to(torch.device(device)), [corpus])


def gradients(held: Training) -> list[Tensor]:
    """The gradient of every step of a training, on the CPU."""
    steps: list[Tensor] = []
    parameters = [p for p in (*held.encoder.parameters(), *held.temperature.parameters()) if p.requires_grad]
    held.optimizer.register_step_pre_hook(
        lambda *_: steps.append(torch.cat([p.grad.flatten().cpu() for p in parameters if p.grad is not None]))
    )
    for _ in held.run():
        pass
    return steps


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gradient_caching": True},
        {"gradient_checkpointing": True},
        {"hard_negatives": 2, "negative_margin": 0.0},
        {"alignment_weight": 1.0},
        {"temperature_learning_rate": 1e-2},
        {"lora": {"rank": 4}},
        {"mixing": "pair", "mask_false_negatives": False},
    ],
    ids=str,
)
def test_every_kind_of_step_has_the_gradient_of_the_cpu(changes: dict[str, Any]) -> None:
    on_cpu, on_gpu = (gradients(training(device, **changes)) for device in ("cpu", GPU))
    assert len(on_gpu) == len(on_cpu) == 6
    scale = on_cpu[0].abs().max()
    assert (on_gpu[0] - on_cpu[0]).abs().max() < 1e-4 * scale  # later ones start from slightly different weights
    assert max(float((one - other).norm() / other.norm()) for one, other in zip(on_gpu, on_cpu, strict=True)) < 0.02


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("changes", [{"gradient_caching": True}, {"gradient_checkpointing": True}], ids=str)
def test_what_computes_activations_twice_drops_the_same_units_twice(changes: dict[str, Any], bf16: bool) -> None:
    found = []
    for settings in ({}, changes):
        held = training(GPU, dropout=0.3, **settings)
        held.encoder.bf16 = bf16
        found.append(gradients(held)[0])
    once, twice = found
    assert (twice - once).norm() < (0.02 if bf16 else 1e-4) * once.norm()


def test_a_trial_on_part_of_a_gpu_allocates_no_more_than_that_part() -> None:
    device, total = torch.device(GPU, 0), torch.cuda.get_device_properties(0).total_memory
    memory.keep_to_share(device, 0.25)
    try:
        held = torch.empty(int(0.2 * total), dtype=torch.uint8, device=device)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(int(0.1 * total), dtype=torch.uint8, device=device)
        del held
    finally:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def weights(encoder: Encoder) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in encoder.parameters()]).cpu()


@pytest.mark.parametrize("changes", [{}, {"gradient_caching": True, "temperature_learning_rate": 1e-2}], ids=str)
def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path: Path, changes: dict[str, Any]) -> None:
    undisturbed = training(GPU, dropout=0.1, **changes)
    for _ in undisturbed.run():
        pass
    first = training(GPU, dropout=0.1, **changes)
    next(report for report in first.run() if report.due_validation)
    checkpoint.save(tmp_path, first.encoder, first.optimizer, first.progress)
    second = training(GPU, dropout=0.1, **changes)
    second.progress = checkpoint.restore(tmp_path, second.encoder, second.optimizer)
    assert second.progress.step == 3
    for _ in second.run():
        pass
    assert (weights(second.encoder) - weights(undisturbed.encoder)).abs().max() < 1e-5


def evaluations(device: str, folder: Path) -> list[Evaluation]:
    benchmark = parallel_benchmark()
    windows = Encoding(200, 10, lambda texts: [[[*map(ord, text[:9])], [*map(ord, text[9:])] or [1]] for text in texts])
    centrings = [Centring(CentringConfig(sides=sides), LanguageMeans()) for sides in ("both", "passages")]
    extras = Extras(centrings, top_lists=True)
    return [
        evaluation
        for encoding in (Encoding(200, 10), windows)
        for evaluation in evaluate_views(
            HashingEncoder(device=device), benchmark, encoding, extras, outputs=Outputs(RunFiles(folder))
        )
    ]


def test_positions_metrics_and_lists_are_those_of_the_cpu(tmp_path: Path) -> None:
    pairs = zip(evaluations(GPU, tmp_path / "gpu"), evaluations("cpu", tmp_path / "cpu"), strict=True)
    for on_gpu, on_cpu in pairs:
        assert on_gpu.positions.equals(on_cpu.positions)
        assert on_gpu.metrics == on_cpu.metrics
        assert on_gpu.top_lists is not None
        assert on_cpu.top_lists is not None
        assert on_gpu.top_lists.column_names == on_cpu.top_lists.column_names
        assert on_gpu.details == on_cpu.details


def test_a_long_evaluation_goes_on_from_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_checkpoint, "SAVE_EVERY_S", 0.0)
    benchmark, encoding, outputs = parallel_benchmark(), Encoding(200, 10), Outputs(partial=tmp_path)
    undisturbed = HashingEncoder()
    (expected,) = evaluate_views(undisturbed, benchmark, encoding)

    class Cut(HashingEncoder):
        def embed(self, token_ids: Any) -> Tensor:
            if len(self.embedded) == len(undisturbed.embedded) - 3:
                raise KeyboardInterrupt
            return super().embed(token_ids)

    with pytest.raises(KeyboardInterrupt):
        evaluate_views(Cut(device=GPU), benchmark, encoding, outputs=outputs)
    resumed = HashingEncoder(device=GPU)
    (evaluation,) = evaluate_views(resumed, benchmark, encoding, outputs=outputs)
    assert len(resumed.embedded) < len(undisturbed.embedded) - 3
    assert evaluation.positions.equals(expected.positions)


def test_mined_negatives_are_those_of_the_cpu(tmp_path: Path) -> None:
    mined = []
    for name, device in (("on_cpu", "cpu"), ("on_gpu", GPU)):
        folder = tmp_path / name
        folder.mkdir()
        corpus = ToyCorpus("toy", [LANGUAGES] * 40, [row // 2 for row in range(40)])
        rule = Rule(negatives=2, share=0.5, multilingual=True)
        miner = Miner(HashingEncoder(device=device), corpus, rule, Encoding(block_size=16))
        miner.prepare(folder)
        with claimed(folder / "mined.jsonl") as out:
            write(miner, corpus, out)
        mined.append((folder / "mined.jsonl").read_text("utf-8"))
    assert mined[0] == mined[1]
