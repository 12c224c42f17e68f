from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.pooling import POOLINGS, Pooling
from study.model.sentence_transformers_folder import export
from study.model.tokens import TextStates, Tokens
from study.space.strict_yaml import SpaceError
from study.space.study_config import parse
from tests.study.model.layouts import LAYOUTS, write

STATE_TW = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0], [2.0, 1.0], [4.0, 3.0]])
TEXTS = TextStates(STATE_TW, torch.tensor([3, 2]))
PADDED_BLW = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]], [[2.0, 1.0], [4.0, 3.0], [99.0, 99.0]]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[11 / 3, 6], [3, 2]]),
        ("weighted_mean", [[28 / 6, 45 / 6], [10 / 3, 7 / 3]]),
        ("first", [[1, 2], [2, 1]]),
        ("last", [[7, 11], [4, 3]]),
    ],
)
def test_pooling_by_hand_without_padding_and_with(name: str, expected: list[list[float]]) -> None:
    padded = Tokens.padded([[5, 6, 7], [8, 9]], 0).states(PADDED_BLW)
    for texts in (TEXTS, padded):
        torch.testing.assert_close(POOLINGS[name].pool(texts), torch.tensor(expected, dtype=torch.float32))


def _max(texts: TextStates) -> Tensor:
    return torch.stack([state_LW.amax(0) for state_LW in texts.state_TW.split(texts.lengths_B.tolist())])


def test_one_entry_adds_a_pooling_to_settings_files_training_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POOLINGS, "max", Pooling(_max, "max", "pooling_mode_max_tokens"))
    folder = LAYOUTS["sentence-transformers/all-MiniLM-L6-v2"].write(tmp_path / "model")
    write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": "max"})
    texts = ["ใครเขียนบทกวีนี้", "北京", "ما هي عملة تايلاند؟"]
    stated, chosen = (
        load_encoder(TrialConfig(backbone=str(folder), pooling=pooling), torch.device("cpu")).eval()
        for pooling in (None, "max")
    )
    export(stated, tmp_path / "exported", "")
    for path in (folder, tmp_path / "exported"):
        theirs = SentenceTransformer(str(path), device="cpu").encode_query(texts, convert_to_tensor=True)
        for encoder in (stated, chosen):
            with torch.no_grad():
                ours = encoder.embed(encoder.tokenize(texts, "query"))
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_search_space_refuses_a_pooling_that_is_not_there_with_the_nearest() -> None:
    space = {"trial": {"pooling": "meen"}, "search": {"sampler": "random", "trials": 1, "space": {}}}
    with pytest.raises(SpaceError, match="there is no pooling 'meen': did you mean 'mean'"):
        parse(space, "toy")
