"""Facts about the search spaces that come with the project."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from study.space import study_config
from study.space.selection import Asha

SHIPPED = {"hybrid", "paper", "quickstart", "zero_shot"}
HEADER = ("Follows", "Run", "Takes", "Expect")


def test_the_four_search_spaces_are_there() -> None:
    assert set(study_config.shipped()) == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_search_space_opens_with_what_it_follows_how_to_run_it_what_it_takes_and_what_to_expect(
    name: str,
) -> None:
    lines = (study_config.SHIPPED / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    for line, word in zip(lines, HEADER, strict=False):
        assert re.fullmatch(rf"# {word}: +\S.*\S", line), line
    command = lines[1].split("python -m study.run")[1]
    assert command.strip() in {"", f"search_spaces/{name}.yaml"}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_search_space_loads_and_all_its_trials_are_valid(name: str) -> None:
    config = study_config.load(name)
    assert config.name == name
    assert len(list(config.examples)) >= len(config.search.points) > 0


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_no_search_space_selects_by_what_it_reports(name: str) -> None:
    for trial in study_config.load(name).examples:
        assert trial.validation.benchmark not in trial.benchmarks


def test_loading_all_of_them_imports_neither_torch_nor_ray_nor_optuna() -> None:
    # The benchmarks' own modules are imported to check their options, so this holds for them as well.
    script = (
        "import json, sys\n"
        "from study.space import study_config\n"
        f"for name in {sorted(SHIPPED)}: list(study_config.load(name).examples)\n"
        "print(json.dumps(sorted({'torch', 'transformers', 'ray', 'optuna', 'datasets', 'faiss'} & set(sys.modules))))"
    )
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=study_config.SHIPPED.parent)
    assert json.loads(answer.stdout) == []


def test_quickstart_starts_with_both_backbones_at_both_ends_and_in_the_middle_and_searches_on() -> None:
    config = study_config.load("quickstart")
    points = {(point["backbone"], point["alpha"]) for point in config.search.points}
    backbones = {"builtin/xlmr-tiny", "builtin/labse-tiny"}
    assert points == {(backbone, alpha) for backbone in backbones for alpha in (0.0, 0.5, 1.0)}
    assert config.search.trials >= 8
    assert config.search.trials > len(points)
    assert all(trial.resources.workers == 1 for trial in config.examples)


def test_paper_is_its_grid_with_its_settings() -> None:
    config = study_config.load("paper")
    points = {(p["backbone"], p["alpha"], p["seed"]) for p in config.search.points}
    backbones = ("FacebookAI/xlm-roberta-base", "sentence-transformers/LaBSE")
    assert points == {(b, alpha / 10, seed) for b in backbones for alpha in range(11) for seed in range(3)}
    assert config.search.trials == 66
    for trial in config.examples:
        assert (trial.learning_rate, trial.batch_size, trial.weight_decay) == (3e-5, 100, 1e-2)
        assert (trial.query_prefix, trial.passage_prefix) == ("Query: ", "Passage: ")


def test_hybrid_starts_with_hybrid_batches_and_both_ends_at_the_papers_setting_and_lets_these_finish() -> None:
    config = study_config.load("hybrid")
    paper = next(iter(study_config.load("paper").examples))
    planned = config.examples[: len(config.search.points)]
    (backbones,) = (branch.distribution.values() for (branch, *_) in config.search.space if branch.key == "backbone")
    assert {(trial.backbone, trial.alpha) for trial in planned} == {(b, a) for b in backbones for a in (0.0, 0.5, 1.0)}
    for trial in planned:
        for setting in ("learning_rate", "batch_size", "temperature"):
            assert getattr(trial, setting) == getattr(paper, setting)
    assert paper.backbone in backbones
    assert config.search.seeds > 1
    assert len(config.search.zero_shot) == len(backbones)
    assert isinstance(config.scheduler, Asha)
    assert config.scheduler.startup == len(planned) * config.search.seeds
    searched = {branches[0].key for branches in config.search.space}
    assert searched == {"alpha", "temperature", "backbone", "learning_rate", "batch_size"}


def test_zero_shot_trains_nothing() -> None:
    assert {trial.steps for trial in study_config.load("zero_shot").examples} == {0}
