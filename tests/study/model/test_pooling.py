from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.pooling import POOLINGS, Pooling
from study.model.sentence_transformers_folder import export
from study.space.strict_yaml import SpaceError
from study.space.study_config import parse
from tests.study.model.layouts import LAYOUTS, write

STATE_BLW = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]], [[2.0, 1.0], [4.0, 3.0], [6.0, 6.0]]])
RIGHT, LEFT = torch.tensor([[1, 1, 1], [1, 1, 0]]), torch.tensor([[1, 1, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    ("name", "right", "left"),
    [
        ("mean", [[11 / 3, 6], [3, 2]], [[11 / 3, 6], [5, 4.5]]),
        ("weighted_mean", [[28 / 6, 45 / 6], [10 / 3, 7 / 3]], [[28 / 6, 45 / 6], [16 / 3, 5]]),
        ("first", [[1, 2], [2, 1]], [[1, 2], [4, 3]]),
        ("last", [[7, 11], [4, 3]], [[7, 11], [6, 6]]),
    ],
)
def test_pooling_by_hand_with_padding_at_the_end_and_at_the_start(
    name: str, right: list[list[float]], left: list[list[float]]
) -> None:
    output = SimpleNamespace(last_hidden_state=STATE_BLW)
    for mask_BL, expected in ((RIGHT, right), (LEFT, left)):
        torch.testing.assert_close(POOLINGS[name].pool(output, mask_BL), torch.tensor(expected, dtype=torch.float32))


def _max(output: Any, mask_BL: Tensor) -> Tensor:
    largest: Tensor = output.last_hidden_state.masked_fill(mask_BL.unsqueeze(-1) == 0, -torch.inf).amax(1)
    return largest


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
