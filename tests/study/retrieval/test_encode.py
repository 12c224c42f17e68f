from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from study.batching import batches_by_length
from study.retrieval.encode import Encoding, Kind, encode, encode_passages, encode_together, share
from tasks.errors import UserError
from tests.hashing_encoder import HashingEncoder
from tests.process_group import RunInGroup

TEXTS = ["แม่น้ำ", "北京", "ما هي عاصمة مصر؟", "แม่น้ำ", "", "河", "北京", "ภูเขาที่สูงที่สุดในโลกคือภูเขาใด"]


def one_by_one(encoder: HashingEncoder, texts: list[str]) -> Tensor:
    return torch.cat([encoder.embed(encoder.tokenize([text], "query")) for text in texts])


@given(budget=st.integers(1, 200))
def test_embeddings_come_back_in_the_order_of_the_texts(budget: int) -> None:
    encoder = HashingEncoder()
    assert torch.equal(encode(encoder, TEXTS, "query", budget), one_by_one(encoder, TEXTS))


def test_equal_texts_are_encoded_once() -> None:
    encoder = HashingEncoder()
    encode(encoder, TEXTS, "passage", 50)
    assert sorted(ids for batch in encoder.embedded for ids in batch) == sorted(
        encoder.tokenize(sorted(set(TEXTS)), "passage")
    )


@given(lengths=st.lists(st.integers(1, 300), max_size=60), budget=st.integers(1, 2000))
def test_every_row_is_in_one_batch_and_no_batch_exceeds_the_budget(lengths: list[int], budget: int) -> None:
    batches = [batch.tolist() for batch in batches_by_length(lengths, budget)]
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[row] for row in batch) <= budget or len(batch) == 1
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


def test_no_texts_give_no_embeddings_of_the_right_width() -> None:
    assert encode(HashingEncoder(width=7), [], "query", 100).shape == (0, 7)


def test_no_gradient_is_kept() -> None:
    class Learned(HashingEncoder):
        def embed(self, token_ids: object) -> Tensor:
            assert not torch.is_grad_enabled()
            return torch.nn.functional.normalize(torch.nn.Parameter(torch.ones(1, self.width)), dim=1)

    assert not encode(Learned(), ["河"], "query", 100).requires_grad


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("kind", ["query", "passage"])
def test_an_embedding_that_is_not_finite_is_refused(kind: Kind, value: float) -> None:
    class Damaged(HashingEncoder):
        def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
            embeddings = super().embed(token_ids)
            embeddings[[ord("河") in ids for ids in token_ids], 0] = value
            return embeddings

    with pytest.raises(UserError, match="embeddings are not finite"):
        list(encode_passages(Damaged(), TEXTS, Encoding(), kind))
    encode(Damaged(), ["北京"], kind, 50)


def encoded_together(texts: list[str]) -> tuple[Tensor, int]:
    encoder = HashingEncoder()
    return encode_together(encoder, texts, "query", 60), sum(map(len, encoder.embedded))


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]])
def test_every_process_has_all_embeddings_and_encoded_its_share(run_in_group: RunInGroup, texts: list[str]) -> None:
    results = run_in_group(2, encoded_together, texts)
    for embeddings, _ in results:
        assert torch.equal(embeddings, one_by_one(HashingEncoder(), texts))
    assert max(encoded for _, encoded in results) <= (len(texts) + 1) // 2


def dealt(texts: list[str]) -> list[int]:
    return [int(row) for row in share(texts)]


def test_shares_are_disjoint_and_of_similar_length(run_in_group: RunInGroup) -> None:
    texts = ["ก" * int(length) for length in np.random.default_rng(0).integers(1, 200, 500)]
    shares = run_in_group(3, dealt, texts)
    assert sorted(row for rows in shares for row in rows) == list(range(500))
    weights = [sum(len(texts[row]) for row in rows) for rows in shares]
    assert max(weights) - min(weights) <= 200


def windows_of_five(texts: Sequence[str]) -> list[list[list[int]]]:
    return [[list(map(ord, text[i : i + 5])) for i in range(0, max(len(text) - 2, 1), 3)] for text in texts]


def test_windows_of_a_passage_stay_together_in_groups_of_equal_number() -> None:
    texts, encoder = [text for text in TEXTS if text], HashingEncoder()
    groups = list(encode_passages(encoder, texts, Encoding(token_budget=40, windows=windows_of_five)))
    assert sorted(i for group in groups for i in group.index_N.tolist()) == list(range(len(texts)))
    assert len(groups) > 2
    for index_N, passage_NVD in groups:
        for i, passage_VD in zip(index_N, passage_NVD, strict=True):
            assert torch.equal(passage_VD, encoder.embed(windows_of_five([texts[i]])[0]))


def test_windows_of_a_few_passages_at_a_time_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.retrieval.encode.TEXTS_AHEAD", 2)
    texts, encoder = [text for text in TEXTS if text], HashingEncoder()
    groups = encode_passages(encoder, texts, Encoding(windows=windows_of_five))
    taken = [next(groups)]
    longest = sorted(texts, key=len)[-2:]
    assert sum(map(len, encoder.embedded)) == sum(map(len, windows_of_five(longest)))
    taken += groups
    assert sorted(i for index_N, _ in taken for i in index_N.tolist()) == list(range(len(texts)))
    for index_N, passage_NVD in taken:
        for i, passage_VD in zip(index_N, passage_NVD, strict=True):
            assert torch.equal(passage_VD, HashingEncoder().embed(windows_of_five([texts[i]])[0]))


def test_without_windows_a_passage_has_one_embedding() -> None:
    [group] = encode_passages(HashingEncoder(), TEXTS, Encoding())
    assert group.index_N.tolist() == list(range(len(TEXTS)))
    assert torch.equal(group.passage_NVD[:, 0], encode(HashingEncoder(), TEXTS, "passage", 100))
