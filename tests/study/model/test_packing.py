"""Batches without padding: what padded ones give, for every public model that can do without."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaModel

from study.config import TrialConfig
from study.model import packing
from study.model.backbone import load_encoder
from study.model.encoder import Encoder
from study.model.pooling import POOLINGS
from study.model.sentence_transformers_folder import export
from study.model.tokens import Spans
from tests import dropout_oracle
from tests.study.model.layouts import LAYOUTS
from tests.toy_encoder import toy_encoder

CPU = torch.device("cpu")
TEXTS = [
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทยและมีประชากรมากที่สุด",
    "ما هي عاصمة مصر؟",
    "北京是中华人民共和国的首都",
    "ما هي عاصمة مصر؟",
    "北京",
    "Wo liegt der höchste <pad> [PAD] Berg der Erde?",  # the padding token, where a text names it
] * 20  # more tokens than any of these models has positions
PACKED = {name for name, layout in LAYOUTS.items() if layout.architecture.startswith(("Bert", "XLMRoberta", "Roberta"))}


def loaded(folder: Path, *, padded: bool, pooling: str = "mean") -> Encoder:
    """An encoder; where it is to be compiled, it pads."""
    config = TrialConfig(backbone=str(folder), pooling=pooling, compile=padded)
    return load_encoder(config, CPU)


def embeddings(encoder: Encoder) -> Tensor:
    with torch.no_grad():
        return encoder.eval().embed(encoder.tokenize(TEXTS, "passage"))


def gradient(encoder: Encoder) -> Tensor:
    embedding_BD = encoder.eval().embed(encoder.tokenize(TEXTS, "passage"))
    weight_BD = torch.linspace(-1, 1, embedding_BD.numel()).view_as(embedding_BD)
    torch.autograd.backward((embedding_BD * weight_BD).sum())
    return torch.cat([p.grad.to_dense().flatten() for p in encoder.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_public_model_embeds_a_batch_without_padding_as_it_embeds_a_padded_one(name: str, tmp_path: Path) -> None:
    folder = LAYOUTS[name].write(tmp_path / "model")
    padded, packed = (loaded(folder, padded=padded) for padded in (True, False))
    assert padded.pads
    assert packed.pads == (name not in PACKED)
    expected, actual = embeddings(padded), embeddings(packed)
    torch.testing.assert_close(actual, expected, atol=2e-6, rtol=0)
    if not packed.pads:
        expected, actual = gradient(padded), gradient(packed)
        assert (actual - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_every_pooling_is_the_same_without_padding(pooling: str) -> None:
    padded, packed = (toy_encoder(pooling=pooling, packed=packed) for packed in (False, True))
    assert packed.pads == POOLINGS[pooling].uses_pooler
    torch.testing.assert_close(embeddings(packed), embeddings(padded), atol=1e-6, rtol=0)


def test_attention_drops_out_in_training_and_by_the_seed_alone() -> None:
    encoder = toy_encoder(dropout=0.5).train()
    encoder.transformer.embeddings.dropout.p = 0.0
    for layer in encoder.transformer.encoder.layer:
        layer.output.dropout.p = layer.attention.output.dropout.p = 0.0  # what is left is dropout of attention
    tokens = encoder.collate(encoder.tokenize(TEXTS, "passage"))
    one, again, other = (encoder([tokens], [seed]).detach() for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("intfloat/multilingual-e5-small", {"is_decoder": True}),
        # 32 numbers in 8 heads of 4, which the kernel for GPUs takes in float32 alone
        ("intfloat/multilingual-e5-small", {"num_attention_heads": 8}),
    ],
)
def test_a_decoder_and_narrow_heads_keep_padded_batches(name: str, change: dict[str, object], tmp_path: Path) -> None:
    folder = LAYOUTS[name].write(tmp_path / "model")
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(settings | change), "utf-8")
    encoder = loaded(folder, padded=False)
    assert encoder.pads
    assert embeddings(encoder).shape == (len(TEXTS), 32)


def test_a_model_that_counts_from_a_padding_token_it_does_not_have_keeps_padded_batches() -> None:
    config = XLMRobertaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    transformer = XLMRobertaModel(config)
    assert packing.use_packing(transformer) is not None
    transformer.embeddings.padding_idx = None
    assert packing.use_packing(transformer) is None


def test_a_model_whose_attention_cannot_be_set_keeps_padded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = toy_encoder(packed=False)
    monkeypatch.setattr(type(encoder.transformer), "set_attn_implementation", lambda *_: None)
    assert encoder.pack().pads


def states(lengths: list[int], heads: int = 2) -> tuple[list[Tensor], Spans]:
    """Queries, keys and values of texts."""
    generator, tokens = torch.Generator().manual_seed(0), sum(lengths)
    drawn = [torch.randn(1, heads, tokens, 8, generator=generator, requires_grad=True) for _ in range(3)]
    return drawn, Spans(lengths, torch.tensor([0, *accumulate(lengths)], dtype=torch.int32))


@pytest.mark.parametrize("attention", [packing._text_by_text, packing._padded_in_runs])
def test_attention_with_dropout_has_the_gradients_of_the_scores_that_were_kept(attention: Any) -> None:
    dropout_oracle.check(attention, "cpu", torch.float32, 1e-5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(900, 5000))
def test_padded_texts_get_as_many_neighbours_as_random_numbers_and_padding_allow(lengths: list[int], most: int) -> None:
    def fit(run: list[int]) -> bool:
        return len(run) * max(run) ** 2 <= most and len(run) * max(run) <= 2 * sum(run)

    runs = [lengths[run] for run in packing._apart(lengths, most)]
    assert [length for run in runs for length in run] == lengths
    assert all(fit(run) for run in runs)
    assert not any(fit([*run, following[0]]) for run, following in pairwise(runs))


def test_short_queries_behind_long_passages_are_padded_to_twice_their_tokens_at_most_in_few_runs() -> None:
    lengths = [256] * 40 + [10] * 614
    runs = [lengths[run] for run in packing._apart(lengths, 2**31)]
    assert sum(len(run) * max(run) for run in runs) <= 2 * sum(lengths)
    assert len(runs) <= 5


@pytest.mark.parametrize("random_numbers", [2 * 200, 2 * 1000], ids=["in two runs", "in one"])
def test_texts_padded_for_dropout_attend_as_each_does_alone(
    random_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_RANDOM_NUMBERS", random_numbers)
    (query, key, value), spans = states([9, 9, 5, 3, 3, 1])
    expected = packing._text_by_text(query, key, value, spans, scaling=0.3, dropout=0.0)
    found = packing._padded_in_runs(query, key, value, spans, scaling=0.3, dropout=1e-9)
    torch.testing.assert_close(found, expected)
    gradients = []
    for out in (expected, found):
        weight = torch.linspace(-1, 1, out.numel()).view_as(out)
        gradients.append(torch.autograd.grad((out * weight).sum(), (query, key, value)))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("dtype", "dropout", "capability", "expected"),
    [
        (torch.float32, 0.0, (9, 0), "_efficient"),
        (torch.bfloat16, 0.0, (9, 0), "_efficient"),
        (torch.bfloat16, 0.1, (8, 0), "_flash"),
        (torch.bfloat16, 0.1, (7, 5), "_padded_in_runs"),
        (torch.float32, 0.1, (9, 0), "_padded_in_runs"),
    ],
)
def test_on_a_gpu_dropout_runs_where_both_passes_drop_the_same(
    dtype: torch.dtype, dropout: float, capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which kernel drops what was measured on a GPU, see `tests/gpu`."""
    called = []
    for name in ("_efficient", "_flash", "_padded_in_runs"):
        monkeypatch.setattr(packing, name, lambda *_, name=name, **__: called.append(name))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    state = torch.ones(1, 1, 2, 8, dtype=dtype)
    packing._on_gpu(state, state, state, Spans([2], torch.empty(0)), scaling=1.0, dropout=dropout)
    assert called == [expected]


@pytest.mark.parametrize(("kernel", "dropout"), [(packing._efficient, {}), (packing._flash, {"dropout": 0.1})])
def test_both_kernels_take_what_they_are_called_with(kernel: Any, dropout: dict[str, float]) -> None:
    """Without a GPU, from PyTorch's description of their arguments and shapes alone."""
    states_1HTD = [torch.empty(1, 2, 9, 8, dtype=torch.bfloat16, device="meta", requires_grad=True) for _ in range(3)]
    bounds_B1 = torch.empty(3, dtype=torch.int32, device="meta")
    assert kernel(*states_1HTD, Spans([5, 4], bounds_B1), scaling=0.3, **dropout).shape == (1, 9, 2, 8)


def test_a_mask_or_a_window_is_refused_as_it_would_be_ignored() -> None:
    held = [torch.ones(1, 1, 2, 4)] * 3
    spans = Spans([2], torch.tensor([0, 2], dtype=torch.int32))
    module = torch.nn.Identity()
    with pytest.raises(AssertionError, match="mask"):
        packing.attend(module, *held, torch.ones(1, 1, 2, 2), spans=spans, scaling=1.0)
    with pytest.raises(AssertionError, match="whole text"):
        packing.attend(module, *held, None, spans=spans, scaling=1.0, sliding_window=1)


def test_a_padded_batch_is_refused_once_an_encoder_does_without() -> None:
    ids = torch.tensor([[1, 5, 2]])
    with pytest.raises(TypeError, match="spans"):
        toy_encoder().transformer(input_ids=ids, attention_mask=torch.ones_like(ids))


def test_an_exported_model_knows_nothing_of_it(tmp_path: Path) -> None:
    folder = LAYOUTS["intfloat/multilingual-e5-small"].write(tmp_path / "model")
    export(loaded(folder, padded=False), tmp_path / "exported", "")
    assert packing.NAME not in (tmp_path / "exported" / "config.json").read_text("utf-8")


def test_layouts_have_all_kinds_of_models() -> None:
    assert len(PACKED) >= 10
    assert len(LAYOUTS) - len(PACKED) >= 10
