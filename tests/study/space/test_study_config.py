"""A good search space gives fixed values, distributions, objectives and a budget."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pydantic
import pytest
import yaml

from study.space.selection import Asha, Hyperband, Median, Objective
from study.space.strict_yaml import SpaceError
from study.space.study_config import load, parse
from tests.study.space.written_spaces import BACKBONES, BRANCHES, GOOD, read, searching


def test_a_file_gives_fixed_values_points_budget_and_defaults(tmp_path: Path) -> None:
    config = read(GOOD, tmp_path)
    assert config.name == "space"
    assert config.search.trials == 9
    assert [tuple(point.values()) for point in config.search.points] == [(b, a) for b in BACKBONES for a in (0, 0.5, 1)]
    assert config.objectives == (Objective(metric="validation/multilingual/map", direction="maximize"),)
    assert (config.scheduler.name, config.concurrent, config.storage, config.loggers) == ("none", None, None, ())
    trial = config.trial_config({"alpha": 0.3, "temperature": 0.1})
    assert (trial.alpha, trial.temperature, trial.steps, trial.validation.every) == (0.3, 0.1, 400, 50)
    assert trial.query_prefix == "คำถาม: "


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ("both", ["@centred"]),
        ("{sides: passages, texts: 1000}", ["@centred_passages_1000"]),
        ("[both, passages]", ["@centred", "@centred_passages"]),
    ],
)
def test_centring_is_one_or_several_and_each_has_a_label(written: str, labels: list[str], tmp_path: Path) -> None:
    config = read(searching("alpha: {type: float, low: 0, high: 1, step: 0.5}", trial=f"centring: {written}"), tmp_path)
    assert [centring.label for centring in config.trial_config({}).centring] == labels


def test_any_nested_field_is_searched_by_its_dotted_key(tmp_path: Path) -> None:
    config = read(
        searching(
            """
            validation.every: {type: int, low: 10, high: 30, step: 10}
            resources.workers: {type: categorical, choices: [1, 2]}
            passage_prefix: {type: categorical, choices: ["段落：", "فقرة: "]}
            """
        ),
        tmp_path,
    )
    assert config.search.trials == 3 * 2 * 2
    trial = config.trial_config(config.search.points[-1])
    assert (trial.validation.every, trial.resources.workers, trial.passage_prefix) == (30, 2, "فقرة: ")
    assert trial.validation.metric == "multilingual/map"


def test_a_grid_holds_decimals_as_written_and_its_first_field_changes_slowest(tmp_path: Path) -> None:
    config = read(
        searching("seed: {type: int, low: 0, high: 1}\nalpha: {type: float, low: 0, high: 1, step: 0.1}"), tmp_path
    )
    alphas = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert [(point["seed"], point["alpha"]) for point in config.search.points] == [
        (seed, alpha) for seed in (0, 1) for alpha in alphas
    ]


def test_a_branch_exists_only_where_its_condition_holds(tmp_path: Path) -> None:
    config = read(searching(BRANCHES), tmp_path)
    rates = [(point["backbone"], point.get("learning_rate")) for point in config.search.points]
    assert rates == [
        ("builtin/xlmr-tiny", 0.001),
        ("builtin/xlmr-tiny", 0.002),
        ("builtin/xlmr-tiny", 0.003),
        ("builtin/labse-tiny", 0.01),
        ("/models/เล็ก", None),
    ]
    assert config.trial_config(config.search.points[-1]).learning_rate == 3e-5  # the trial's own default


def test_a_condition_may_name_a_fixed_field(tmp_path: Path) -> None:
    space = "alpha: [{when: {steps: 400}, type: categorical, choices: [0.1, 0.2]}]"
    assert read(searching(space), tmp_path).search.points == ({"alpha": 0.1}, {"alpha": 0.2})


def test_first_points_may_leave_fields_open_and_may_be_listed_one_by_one(tmp_path: Path) -> None:
    text = GOOD.replace("backbone: [builtin/xlmr-tiny, builtin/labse-tiny]\n    alpha: [0, 0.5, 1]", "- {alpha: 0.7}")
    assert read(text, tmp_path).search.points == ({"alpha": 0.7},)


def test_a_choice_may_be_a_mapping(tmp_path: Path) -> None:
    config = read(searching("alpha: {type: categorical, choices: [0.5, {start: 1, end: 0}]}"), tmp_path)
    alpha = config.trial_config(config.search.points[1]).alpha
    assert not isinstance(alpha, float)
    assert (alpha.start, alpha.end) == (1, 0)


def test_numbers_and_words_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    config = read(
        """
        trial: {learning_rate: 3e-5, weight_decay: 1E-2, mask_false_negatives: false, backbone: no}
        search: {sampler: grid}
        """,
        tmp_path,
    )
    trial = config.trial_config({})
    assert (trial.learning_rate, trial.weight_decay, trial.mask_false_negatives) == (3e-5, 1e-2, False)
    assert trial.backbone == "no"


def test_a_text_that_begins_with_true_or_false_is_a_text(tmp_path: Path) -> None:
    config = read("trial: {query_prefix: true_north, passage_prefix: FALSE friends}\nsearch: {sampler: grid}", tmp_path)
    assert (config.trial["query_prefix"], config.trial["passage_prefix"]) == ("true_north", "FALSE friends")


def test_a_part_of_a_searched_section_is_searched_at_the_values_of_the_section_that_it_names(tmp_path: Path) -> None:
    space = """
    lora: {type: categorical, choices: [null, {alpha: 8}]}
    lora.rank: [{when: {lora: {alpha: 8}}, type: categorical, choices: [4, 64]}]
    """
    config = read(searching(space), tmp_path)
    trials = [config.trial_config(point).lora for point in config.search.points]
    assert [lora and (lora.alpha, lora.rank) for lora in trials] == [None, (8, 4), (8, 64)]
    assert config.search.points[1]["lora"] == {"alpha": 8}


def test_an_older_study_that_searches_a_section_and_its_part_is_resumed(tmp_path: Path) -> None:
    space = "lora: {type: categorical, choices: [{alpha: 8}]}\nlora.rank: {type: categorical, choices: [4, 8]}"
    (tmp_path / "space.yaml").write_text(searching(space), "utf-8")
    started = yaml.safe_load(searching(space))
    assert len(load(str(tmp_path / "space.yaml"), started).search.points) == 2


def test_what_was_read_gives_the_same_configuration_again_even_from_json(tmp_path: Path) -> None:
    config = read(GOOD, tmp_path)
    assert parse(json.loads(json.dumps(config.source)), config.name) == config


def test_objectives_may_be_several_and_improve_in_their_own_direction(tmp_path: Path) -> None:
    objectives = """
    objective:
    - validation/monolingual/map
    - {metric: validation/multilingual/rank_distance}
    - {metric: validation/loss}
    - {metric: validation/crosslingual/recall@5, direction: maximize}
    """
    config = read(GOOD.replace("temperature:", "learning_rate:") + dedent(objectives), tmp_path)
    assert [objective.direction for objective in config.objectives] == ["maximize", "minimize", "minimize", "maximize"]


@pytest.mark.parametrize(
    ("line", "scheduler"),
    [
        ("{name: asha, min_steps: 50}", Asha(name="asha", min_steps=50, reduction_factor=3)),
        ("median", Median(name="median", min_steps=0, startup=5)),
        ("{name: hyperband, min_steps: 50, max_steps: 400}", Hyperband(name="hyperband", min_steps=50, max_steps=400)),
    ],
)
def test_a_scheduler_has_the_fields_of_its_name(line: str, scheduler: object, tmp_path: Path) -> None:
    assert read(f"{GOOD}scheduler: {line}\n", tmp_path).scheduler == scheduler


def test_a_prefix_keeps_its_white_space_and_may_be_empty(tmp_path: Path) -> None:
    trial = read('trial: {query_prefix: "ค้นหา: ", passage_prefix: ""}\nsearch: {sampler: grid}', tmp_path).trial
    assert (trial["query_prefix"], trial["passage_prefix"]) == ("ค้นหา: ", "")


def test_examples_meet_every_choice_and_both_ends_of_every_range(tmp_path: Path) -> None:
    trials = list(read(GOOD, tmp_path).examples)
    assert {trial.backbone for trial in trials} == set(BACKBONES)
    assert {0.01, 0.2} <= {trial.temperature for trial in trials}
    assert (trials[0].backbone, trials[0].alpha) == (BACKBONES[0], 0.0)


def test_a_trial_without_training_has_no_batches_that_workers_share(tmp_path: Path) -> None:
    text = """
        trial: {resources: {workers: 8}, query_prefix: "คำถาม: "}
        search:
          sampler: grid
          zero_shot: true
          space: {batch_size: {type: categorical, choices: [16, 32]}}
    """
    assert [trial.steps for trial in read(text, tmp_path).examples] == [1000, 1000, 0]


@pytest.mark.parametrize("seeds", [1, 3])
def test_zero_shot_adds_each_backbone_as_it_is_before_all_other_trials(seeds: int, tmp_path: Path) -> None:
    config = read(GOOD.replace("  trials: 9", f"  trials: 9\n  zero_shot: true\n  seeds: {seeds}"), tmp_path)
    assert config.search.trials == 2 + 9 * seeds
    added = [config.trial_config(values) for values in config.search.zero_shot]
    assert [(trial.backbone, trial.steps, trial.query_prefix) for trial in added] == [
        (backbone, 0, "คำถาม: ") for backbone in BACKBONES
    ]
    assert config.examples[-2:] == tuple(added)
    assert config.examples[0].steps == 400
    alone = searching("alpha: {type: float, low: 0, high: 1, step: 0.5}", sampler="grid\n  zero_shot: true")
    only = read(alone, tmp_path)
    assert (only.search.trials, only.search.zero_shot) == (4, ({"steps": 0},))


@pytest.mark.parametrize(
    ("objective", "trial", "chosen"),
    [
        ("validation/monolingual/mrr", "{steps: 9}", "monolingual/mrr"),
        ("validation/monolingual/mrr", "{validation: {every: 3}}", "monolingual/mrr"),
        ("[validation/loss, validation/monolingual/map]", "{steps: 9}", "loss"),
        ("validation/monolingual/mrr", "{validation: {metric: multilingual/map}}", "multilingual/map"),
        ("validation/multilingual/map", "{steps: 9}", "multilingual/map"),
    ],
)
def test_checkpoints_are_chosen_by_the_objective_unless_another_metric_is_named(
    tmp_path: Path, objective: str, trial: str, chosen: str
) -> None:
    space = "{alpha: {type: categorical, choices: [0, 1]}}"
    text = f"trial: {trial}\nobjective: {objective}\nsearch: {{sampler: grid, space: {space}}}\n"
    config = read(text, tmp_path)
    assert {example.validation.metric for example in config.examples} == {chosen}
    resumed = parse(config.source, config.name)
    assert {example.validation.metric for example in resumed.examples} == {chosen}


def test_a_study_of_an_earlier_version_is_resumed_with_its_file_as_it_began(tmp_path: Path) -> None:
    space = "search: {sampler: grid, space: {alpha: {type: categorical, choices: [0, 1]}}}"
    file = tmp_path / "space.yaml"
    file.write_text(f"trial: {{steps: 9}}\nobjective: validation/monolingual/mrr\n{space}\n", "utf-8")
    before = parse(load(str(file), {"trial": {"steps": 9}}).source, "space")
    assert {example.validation.metric for example in before.examples} == {"multilingual/map"}
    now = load(str(file), load(str(file)).source)
    assert {example.validation.metric for example in now.examples} == {"monolingual/mrr"}


def test_a_bare_name_is_a_shipped_search_space_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("quickstart").name == "quickstart"
    (tmp_path / "mine").write_text(GOOD, encoding="utf-8")
    assert load("mine").name == "mine"


def test_a_read_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = read(GOOD, tmp_path)
    with pytest.raises(pydantic.ValidationError):
        config.search.trials = 3  # type: ignore[misc]  # that is the point


def test_combinations_that_no_trial_can_draw_are_not_checked(tmp_path: Path) -> None:
    crossed = """
        trial: {steps: 10}
        search:
          sampler: random
          trials: TRIALS
          first: [{batch_size: 4, resources: {workers: 2}}, {batch_size: 3, resources: {workers: 3}}]
          space:
            batch_size: {type: categorical, choices: [3, 4]}
            resources: {type: categorical, choices: [{workers: 2}, {workers: 3}]}
    """
    assert len(read(crossed.replace("TRIALS", "2"), tmp_path).examples) == 2
    with pytest.raises(SpaceError, match="batch_size 3 cannot be shared equally by 2 workers"):
        read(crossed.replace("TRIALS", "3"), tmp_path)
