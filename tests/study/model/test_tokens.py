"""Token ids: those of the model's own tokenizer, and where they lie in a batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.encoder import TextForm
from study.model.tokens import Positions, Tokens
from tests.study.model.layouts import LAYOUTS
from tests.toy_encoder import toy_encoder

LONG = "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย 北京是中华人民共和国的首都 القاهرة عاصمة مصر " * 40
TEXTS = ["北京", "ما هي عاصمة مصر؟", "", " ", LONG, "Größe: <s> [MASK] </s> \u200b ok"]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_texts_have_the_ids_that_the_tokenizer_itself_gives_them(name: str, tmp_path: Path) -> None:
    config = TrialConfig(backbone=str(LAYOUTS[name].write(tmp_path / "model")), max_passage_tokens=50)
    encoder = load_encoder(config, torch.device("cpu"))
    for kind in ("query", "passage"):
        prefix, longest = encoder.forms[kind]
        tokenizer = encoder.tokenizer
        theirs = [tokenizer(prefix + text, truncation=True, max_length=longest)["input_ids"] for text in TEXTS]
        ours = encoder.tokenize(TEXTS, kind)
        assert ours == [ids or [tokenizer.pad_token_id] for ids in theirs]
        assert len(ours[4]) == longest


def test_a_padded_batch_and_one_without_hold_the_same_tokens() -> None:
    token_ids = [[5, 6, 7], [8], [9, 10]]
    padded, packed = Tokens.padded(token_ids, padding=1), Tokens.packed(token_ids, Positions(padding=1))
    assert padded.inputs["input_ids"].tolist() == [[5, 6, 7], [8, 1, 1], [9, 10, 1]]
    assert padded.inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert packed.inputs["input_ids"].tolist() == [[5, 6, 7, 8, 9, 10]]
    assert packed.inputs["position_ids"].tolist() == [[2, 3, 4, 2, 2, 3]]
    assert packed.inputs["spans"].lengths == [3, 1, 2]
    assert packed.inputs["spans"].bounds_B1.tolist() == [0, 3, 4, 6]
    for tokens in (padded, packed):
        assert tokens.states(tokens.inputs["input_ids"][..., None]).state_TW[:, 0].tolist() == [5, 6, 7, 8, 9, 10]
        assert tokens.lengths_B.tolist() == [3, 1, 2]


def test_positions_begin_anew_with_each_text_and_fairseq_does_not_count_a_token_that_is_the_padding() -> None:
    ids_T, lengths_B = np.array([5, 1, 7, 8, 9, 1]), np.array([3, 1, 2])
    assert Positions(None).of(ids_T, lengths_B).tolist() == [0, 1, 2, 0, 0, 1]
    assert Positions(1).of(ids_T, lengths_B).tolist() == [2, 1, 3, 2, 2, 1]


def test_queries_and_passages_keep_their_limits_when_two_threads_tokenize_at_once() -> None:
    """As a trial does, whose next batch is made while it validates."""
    encoder = toy_encoder()
    encoder.forms = {"query": TextForm("", 10), "passage": TextForm("", 40)}
    texts = ["ما هي عاصمة مصر؟" * 4] * 200
    expected = {kind: encoder.tokenize(texts, kind) for kind in encoder.forms}
    with ThreadPoolExecutor(2) as threads:
        asked = [(kind, threads.submit(encoder.tokenize, texts, kind)) for _ in range(100) for kind in encoder.forms]
        assert all(found.result() == expected[kind] for kind, found in asked)
