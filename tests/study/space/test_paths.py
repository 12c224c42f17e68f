from __future__ import annotations

from pathlib import Path

import pytest

from study.space.strict_yaml import SpaceError, absolute_paths
from study.space.study_config import load


def test_paths_and_backbones_that_are_folders_here_become_absolute_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "โมเดล").mkdir()
    held = {"name": "held_out", "corpus": {"name": "parallel_jsonl", "path": "data/คู่.jsonl"}}
    space = {
        "trial": {
            "corpora": [
                {"name": "mmarco", "path": "s3://bucket/mmarco"},
                {"name": "parallel_jsonl", "path": "a.jsonl"},
            ],
            "validation": {"benchmark": held, "metric": "multilingual/map"},
            "query_prefix": "โมเดล",
        },
        "search": {"space": {"backbone": {"type": "categorical", "choices": ["โมเดล", "builtin/xlmr-tiny", "a/b"]}}},
    }
    made = absolute_paths(space)
    assert made["trial"]["corpora"][0] == {"name": "mmarco", "path": "s3://bucket/mmarco"}
    assert made["trial"]["corpora"][1]["path"] == str(tmp_path / "a.jsonl")
    assert made["trial"]["validation"]["benchmark"]["corpus"]["path"] == str(tmp_path / "data" / "คู่.jsonl")
    assert made["trial"]["query_prefix"] == "โมเดล"
    choices = made["search"]["space"]["backbone"]["choices"]
    assert choices == [str(tmp_path / "โมเดล"), "builtin/xlmr-tiny", "a/b"]
    assert absolute_paths(made) == made


def test_paths_in_a_search_space_are_relative_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spaces, elsewhere = tmp_path / "พื้นที่", tmp_path / "elsewhere"
    (spaces / "model").mkdir(parents=True)
    elsewhere.mkdir()
    (spaces / "space.yaml").write_text(
        "trial: {backbone: model, corpora: [{name: parallel_jsonl, path: ../data/train.jsonl}]}\n"
        "search: {sampler: grid, space: {seed: {type: int, low: 0, high: 1}}}\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(elsewhere)
    trial = next(iter(load("../พื้นที่/space.yaml").examples))
    assert trial.corpora[0].options["path"] == str(tmp_path / "data" / "train.jsonl")
    assert trial.backbone == str(spaces / "model")


def test_a_backbone_that_is_a_folder_in_the_working_directory_alone_is_refused_unless_the_study_was_started_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces, folder = tmp_path / "พื้นที่", tmp_path / "模型" / "mine"
    spaces.mkdir()
    folder.mkdir(parents=True)
    file = spaces / "space.yaml"
    choices = "[builtin/xlmr-tiny, 模型/mine]"
    file.write_text(
        f"search: {{sampler: grid, space: {{backbone: {{type: categorical, choices: {choices}}}}}}}\n", "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpaceError) as refusal:
        load(str(file))
    assert str(refusal.value) == (
        f"space.yaml: backbone '模型/mine': there is no such folder in {spaces}, where the paths of a search space "
        f"start, but there is {folder}: write that whole path"
    )
    assert load(str(file), started={}).examples[1].backbone == "模型/mine"
    monkeypatch.chdir(spaces)
    assert load(str(file)).examples[1].backbone == "模型/mine"
