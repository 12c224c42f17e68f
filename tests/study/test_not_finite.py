"""A model whose weights hold NaN, as one that diverged, is refused wherever its embeddings would be ranked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer
from typer.testing import CliRunner

from study import evaluate, mine
from study.cli import program
from study.config import TrialConfig
from study.model import builtin
from study.model.backbone import load_encoder
from study.model.model_files import WEIGHTS
from study.runtime.worker import Validation
from tests.parallel_benchmark import parallel_benchmark

SENTENCE = "the model's embeddings are not finite (NaN or infinity): its weights are damaged or training diverged"


@pytest.fixture(params=["Query", "Passage"])
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model in which one embedding is NaN: that of a token which only the prefix of queries has, or of passages."""
    folder = Path(shutil.copytree(builtin.folder("builtin/xlmr-tiny"), tmp_path / "model"))
    tokenizer, weights = AutoTokenizer.from_pretrained(folder), load_file(folder / WEIGHTS)
    queries, passages = (set(tokenizer(f"{side}: ").input_ids) for side in ("Query", "Passage"))
    tokens = queries - passages if request.param == "Query" else passages - queries
    weights["embeddings.word_embeddings.weight"][min(tokens)] = torch.nan
    save_file(weights, folder / WEIGHTS)
    return folder


def test_it_is_not_evaluated(damaged: Path) -> None:
    ended = CliRunner().invoke(program(evaluate.main), [str(damaged), "--option", "languages=[ar, th, zh]"])
    assert (ended.exit_code, ended.stderr) == (2, f"error: {SENTENCE}\n")


def test_nothing_is_mined_with_it(damaged: Path, tmp_path: Path) -> None:
    output = tmp_path / "mined.jsonl"
    arguments = [str(damaged), "{name: factbook, languages: [th, zh]}", "--output", str(output)]
    ended = CliRunner().invoke(program(mine.main), arguments)
    assert (ended.exit_code, ended.stderr) == (2, f"error: {SENTENCE}\n")
    assert not output.exists()


def test_it_is_not_validated(damaged: Path) -> None:
    config = TrialConfig(backbone=str(damaged))
    encoder = load_encoder(config, torch.device("cpu"))
    with pytest.raises(ValueError, match="not finite"):
        Validation(encoder, parallel_benchmark(), config, lambda *_: None)()
