"""A bad search space is refused in one sentence that names the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study.space.strict_yaml import SpaceError
from study.space.study_config import load, parse
from tests.study.space.written_spaces import BRANCHES, GOOD, read, searching


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("quikstart", "unknown search space 'quikstart': did you mean 'quickstart'?"),
        ("missing/space.yaml", "missing/space.yaml: No such file or directory"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(SpaceError) as refusal:
        load(name)
    assert str(refusal.value) == sentence


BOMB = "space.yaml expands to more than 100,000 values: use fewer aliases"
REFUSED_FILES = [
    ("trial: {steps: 1", "space.yaml, line 1: expected ',' or '}', but got '<stream end>'"),
    ("trial:\n  steps: 1\n  steps: 2\n", "space.yaml, line 3: 'steps' is written twice"),
    ("- a list", "space.yaml must contain keys and values, such as 'trial:' and 'search:'"),
    ("trial: {}", "space.yaml: search: this key is missing"),
    ("serch: {}", "space.yaml: unknown key 'serch': did you mean 'search'?"),
    ("search: {sampler: tpes}", "space.yaml: search.sampler: 'tpes' is refused: input should be 'grid', 'random'"),
    ("search: {sampler: random, trials: 3}", "space.yaml: search.space: the sampler 'random' needs it"),
    ("search: {sampler: grid, trial: 3}", "space.yaml: search: unknown key 'trial': did you mean 'trials'?"),
    ("search: {sampler: grid, trials: 0}", "space.yaml: search.trials: 0 is refused: input should be greater than or"),
    ("search: {sampler: grid}\nloggers: [wandbb]", "space.yaml: loggers.0: 'wandbb' is refused: input should be 'mlf"),
    (
        "search: {sampler: grid}\nstorage: mongodb://h/studies",
        "space.yaml: storage: 'mongodb' is not a database that",
    ),
    ("search: {sampler: random, seed: 9223372036854775808}", "space.yaml: search.seed: 9223372036854775808 is refused"),
    ("a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)), BOMB),
    ("a: &a {itself: *a}", BOMB),
    ("[" * 3000, "space.yaml is nested too deeply"),
    (
        "trial: {steps: 0}\nsearch: {sampler: grid, zero_shot: true}",
        "space.yaml: search.zero_shot: every trial is zero-shot, as 'steps' is 0 under 'trial': remove one of the two",
    ),
    (f"trial: {{steps: {'9' * 5000}}}", "space.yaml is not YAML: Exceeds the limit (4300 digits) for integer string"),
    ("trial: {steps: !!int four}", "space.yaml is not YAML: invalid literal for int() with base 10: 'four'"),
    ("trial: {steps: !!bool perhaps}", "space.yaml is not YAML: 'perhaps'"),
    ("trial: {backbone: !!timestamp 2026-11-26}", "space.yaml, line 1: could not determine a constructor for the tag"),
    ("#" * 300_000, "{folder}/space.yaml has more than 262,144 bytes: name the YAML file of a search space"),
    ("search: {sampler: grid}\nstorage: ''", "space.yaml: storage: '' is refused: string should have at least 1"),
    ("search: {sampler: grid, trials: true}", "space.yaml: search.trials: true is refused: only on-off settings are"),
    ("search: {sampler: tpe, trials: 10001}", "space.yaml: search.trials: 10001 is refused: input should be less than"),
    ("search: {sampler: grid}\nconcurrent: 0", "space.yaml: concurrent: 0 is refused: input should be greater than"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED_FILES)
def test_a_malformed_file_is_refused_in_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(text, tmp_path)
    assert str(refusal.value).startswith(sentence.replace("{folder}", str(tmp_path)))
    assert "\n" not in str(refusal.value)


REFUSED_TRIALS = [
    ("workers: 1", "trial: unknown key 'workers': it belongs under 'resources'"),
    ("every: 100", "trial: unknown key 'every': it belongs under 'validation'"),
    ("lerning_rate: 1", "trial: unknown key 'lerning_rate': did you mean 'learning_rate'?"),
    ("query_prefix: {query: null}", "trial.query_prefix: {'query': None} is refused: put a prefix in quotes"),
    ("alpha: 1.5", "trial.alpha: 1.5 is out of range; allowed is from 0 to 1"),
    ("alpha: true", "trial.alpha: true is refused: only on-off settings are true or false"),
    ("validation: {every: true}", "trial.validation.every: true is refused: only on-off settings are true or false"),
    ("backbone: ''", "trial.backbone: '' is refused: string should have at least 1 character"),
    ("steps: 1e12", "trial.steps: 1000000000000.0 is refused: input should be less than or equal to"),
    ("steps: 1e20", "trial.steps: 1e+20 is refused: "),
    ("steps: 1:30", "trial.steps: '1:30' is refused: input should be a valid integer"),
    ("steps: 0x1F", "trial.steps: '0x1F' is refused: input should be a valid integer"),
    ("weight_decay: 1e400", "trial.weight_decay: inf is refused: input should be a finite number"),
    ("weight_decay: nan", "trial.weight_decay: 'nan' is refused: input should be a finite number"),
    ("lora: {rank: 100000}", "trial.lora.rank: 100000 is refused: input should be less than or equal to 1024"),
    (
        "lora: {targets: [querry]}",
        "trial with these values: lora.targets: 'builtin/xlmr-tiny' has no linear layer called 'querry': did you mean",
    ),
    ("benchmarks: [mteb]", "trial.benchmarks: benchmark 'mteb' needs the option 'repository'"),
    ("corpora: [dataset]", "trial.corpora: corpus 'dataset' needs either 'path', or 'id' with the 'revision'"),
    ('corpora: [{name: parallel_jsonl, path: "a\\0b"}]', "'a\0b' is refused, as it can be no path on this machine"),
    ("backbone: ~no-such-user/model", "'~no-such-user/model' is refused, as it can be no path on this machine"),
    ("seed: 9223372036854775808", "trial.seed: 9223372036854775808 is refused: input should be less than or equal"),
    ("steps: 100, validation: {every: 500}", "trial.validation.every: 500 is above the 100 steps of a trial: lower"),
    ("corpora: [factbook, {name: factbook, weight: 2}]", "trial.corpora: 'factbook' is written twice: to draw it"),
    (
        "benchmarks: [{name: factbook, languages: []}]",
        "trial.benchmarks: benchmark 'factbook', option 'languages'",
    ),
    (
        "corpora: [{name: factbook, languages: 'de,zh'}]",
        "trial.corpora: corpus 'factbook', option 'languages': 'de",
    ),
    ("alpha: {start: 0.5, end: 0.5}", "trial.alpha: start and end are both 0.5: write the number alone"),
    ("alpha: {start: 0, ends: 1}", "trial.alpha: unknown key 'ends': did you mean 'end'?"),
    ("steps: 2.5", "trial.steps: 2.5 is refused: input should be a valid integer"),
    ("batch_size: 65, resources: {workers: 2}", "trial with these values: batch_size 65 cannot be shared equally by 2"),
    ("benchmarks: [factbok]", "trial.benchmarks: unknown benchmark 'factbok': did you mean 'factbook'?"),
    ("benchmarks: [{name: factbook, splt: test}]", "trial.benchmarks: benchmark 'factbook' has no option 'splt': did"),
    (
        "benchmarks: [{name: factbook, split: dev}, factbook]",
        "trial.benchmarks: 'factbook' stands for 2 benchmarks: give each a label of its own, such as {name: factbook,",
    ),
    (
        "benchmarks: [{name: tatoeba, label: twice}, {name: xquad_r, label: twice}]",
        "trial.benchmarks: 'twice' stands for 2 benchmarks",
    ),
    ("benchmarks: [{name: local, label: xquad_r}]", "trial.benchmarks.0: label 'xquad_r' means something else"),
    ("benchmarks: [{name: factbook, label: a/b}]", "trial.benchmarks.0.label: 'a/b' is refused"),
    ("benchmarks: [{name: factbook, label: validation}]", "trial.benchmarks.0: label 'validation' means something"),
    (
        "validation: {benchmark: {name: factbook, split: dev, label: dev}}",
        "trial.validation.benchmark: label 'dev' is refused: metrics of the validation benchmark are called 'validati",
    ),
    (
        "validation: {benchmark: factbook}, benchmarks: [{name: factbook, label: other}]",
        "trial.validation.benchmark: 'factbook' is also reported",
    ),
    ("corpora: [factbok]", "trial.corpora: unknown corpus 'factbok': did you mean 'factbook'?"),
    ("corpora: [{name: factbook, weight: 0}]", "trial.corpora.0.weight: 0 is refused: input should be greater than 0"),
    ("validation: {metric: multilingual/mapp}", "trial.validation.metric: unknown metric 'mapp': did you mean 'map'?"),
    (
        "validation: {metric: map}",
        "trial.validation.metric: 'map' does not start with a setting: allowed: crosslingual",
    ),
    ("validation: {benchmark: factbook}", "trial.validation.benchmark: 'factbook' is also reported, and selection"),
    ("validation: {evry: 3}", "trial.validation: unknown key 'evry': did you mean 'every'?"),
]


@pytest.mark.parametrize(("trial", "sentence"), REFUSED_TRIALS)
def test_a_fixed_value_no_trial_takes_is_refused(trial: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(f"trial: {{{trial}}}\nsearch: {{sampler: grid}}", tmp_path)
    assert str(refusal.value).startswith(f"space.yaml: {sentence}")


REFUSED_SPACES = [
    ("alpa: {type: float, low: 0, high: 1, step: 1}", "search.space: unknown field 'alpa': did you mean 'alpha'?"),
    ("validation.evry: {type: int, low: 1, high: 2}", "search.space: unknown field 'validation.evry': did you mean"),
    ("alpha: {type: flot, low: 0, high: 1}", "alpha.type: unknown distribution 'flot': did you mean 'float'?"),
    ("alpha: {type: [float], low: 0, high: 1}", "alpha.type: unknown distribution '['float']': did you mean 'float'?"),
    ("alpha: []", "alpha: the list is empty: write a distribution"),
    ("alpha: [{when: {3: 1}, type: int, low: 0, high: 1}]", "alpha.when: '3' is neither fixed nor searched above"),
    ("weight_decay: {type: float, low: 0, high: 1e300, step: 1e-300}", "a grid of more than 10,000 combinations"),
    (
        "seed: {type: int, low: 0, high: 9999999999999999999999}",
        "seed.high: 9999999999999999999999 is refused: input sh",
    ),
    ("alpha: 0.5", "alpha: 0.5 is refused: write a distribution, such as {type: float, low: 0, high: 1}"),
    ("alpha: {type: float, low: 0}", "alpha.high: this key is missing"),
    ("alpha: {type: float, low: 0, hihg: 1}", "alpha: unknown key 'hihg': did you mean 'high'?"),
    ("alpha: {type: float, low: 0, high: 1.5, step: 0.5}", "alpha: 1.5 is out of range; allowed is from 0 to 1"),
    ("alpha: {type: float, low: 1, high: 0}", "alpha: low 1 is above high 0"),
    ("alpha: {type: float, low: 0, high: 1, step: 0.3}", "alpha: steps of 0.3 from 0 miss 1; they reach 0.9"),
    ("alpha: {type: float, low: 0, high: 1}", "a grid needs a 'step' to be finite"),
    ("alpha: {type: float, low: 0, high: 1, log: true}", "alpha: a logarithmic scale has no 0: 'low' must be above 0"),
    ("alpha: {type: float, low: 0.1, high: 1, log: true, step: 0.1}", "alpha: 'step' and 'log' exclude each other"),
    ("alpha: {type: float, low: 1, high: 1, log: true, step: 1}", "alpha: 'step' and 'log' exclude each other"),
    (
        "lora.rank: {type: categorical, choices: [4]}\nlora: {type: categorical, choices: [{alpha: 8}]}",
        "lora: its part 'lora.rank' is searched above and would be lost: put 'lora' before it",
    ),
    (
        "lora: {type: categorical, choices: [null, {alpha: 8}]}\nlora.rank: {type: categorical, choices: [4]}",
        "lora.rank: 'lora' is searched as a whole too, and this would change each of its values: write under 'when' at",
    ),
    ("alpha: {type: float, low: 0, high: .inf}", "alpha.high: '.inf' is refused: input should be a valid number"),
    ("learning_rate: {type: float, low: 0, high: 1, step: 0.5}", "learning_rate: 0.0 is refused: input should be gre"),
    ("batch_size: {type: float, low: 32, high: 64}", "batch_size: 45.2544 is refused: input should be a valid integer"),
    ("resources.gpus_per_worker: {type: categorical, choices: [0.5, 1.5]}", "resources.gpus_per_worker: 1.5 is neithe"),
    ("resources: {type: categorical, choices: [{workers: 2, gpus_per_worker: 0.5}]}", "resources: 2 workers cannot sh"),
    ("precision: {type: categorical, choices: [fp32, fp16]}", "precision: 'fp16' is refused: input should be 'auto',"),
    ("seed: {type: categorical, choices: [1, 1.0]}", "seed.choices: the choice 1.0 is written twice"),
    ("seed: {type: categorical, choices: []}", "seed.choices: [] is refused: tuple should have at least 1 item"),
    ("seed: {type: int, low: 0, high: 1000000}", "a grid of more than 10,000 combinations"),
    ("alpha: {type: float, low: 0, high: 1, step: 1e-9}", "a grid of more than 10,000 combinations"),
    ("steps: {type: int, low: 1, high: 2}", "steps: it is also fixed under 'trial': remove it there or here"),
    ("alpha: [{when: {backbone: x}, type: int, low: 0, high: 1}]", "alpha.when: 'backbone' is neither fixed nor sear"),
    ("alpha: [{when: {steps: 100}, type: int, low: 0, high: 1}]", "alpha.when.steps: 100 is not one of 400"),
    ("alpha: [{when: x, type: int, low: 0, high: 1}]", "alpha.when: 'x' is refused: write a field and its value"),
    (
        "alpha: [{when: {steps: 400}, type: int, low: 0, high: 1}, {type: categorical, choices: [0.5]}]",
        "alpha: the branches 'alpha[steps=400]' and 'alpha' can apply together: write conditions under 'when' that exc",
    ),
]


@pytest.mark.parametrize(("space", "sentence"), REFUSED_SPACES)
def test_a_distribution_its_field_cannot_take_is_refused(space: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(searching(space), tmp_path)
    assert sentence in str(refusal.value)
    assert str(refusal.value).startswith("space.yaml: search.space")


def test_a_part_of_a_section_that_is_null_is_refused(tmp_path: Path) -> None:
    space = "lora.rank: {type: categorical, choices: [4, 8]}"
    with pytest.raises(
        SpaceError, match=r"search\.space\.lora\.rank: 'lora' is null under 'trial', so it has no parts"
    ):
        read(searching(space, trial="steps: 400, lora: null"), tmp_path)


def test_a_section_cannot_be_searched_as_a_whole_if_the_objective_is_written_into_it(tmp_path: Path) -> None:
    space = searching("validation: {type: categorical, choices: [{every: 50}, {every: 100}]}")
    assert len(read(space, tmp_path).search.points) == 2
    with pytest.raises(
        SpaceError, match=r"search\.space\.validation: the objective 'loss' chooses checkpoints too, .*such"
    ):
        read(space + "objective: validation/loss\n", tmp_path)


def test_values_that_do_not_go_together_are_refused_with_the_trial_they_make(tmp_path: Path) -> None:
    space = (
        "batch_size: {type: categorical, choices: [64, 66]}\nresources.workers: {type: categorical, choices: [1, 4]}"
    )
    with pytest.raises(SpaceError, match=r"trial with batch_size=66, resources\.workers=4: batch_size 66 cannot be sh"):
        read(searching(space), tmp_path)


REFUSED_POINTS = [
    ({"first": {"alpha": [0, 0.25]}}, "search.first.2.alpha: 0.25 is not one of 0 to 1 in steps of 0.1"),
    ({"first": {"alpha": ["high"]}}, "search.first.1.alpha: 'high' is not a number"),
    ({"first": {"aplha": [0]}}, "search.first.1: 'aplha' is not searched: did you mean 'alpha'?"),
    (
        {"first": {"backbone": "builtin/xlmr"}},
        "search.first.1.backbone: 'builtin/xlmr' is not one of 'builtin/x",
    ),
    ({"first": {"alpha": []}}, "search.first: a list is empty: write values, or leave the field out"),
    ({"first": 3}, "search.first: 3 is refused: write a list of points, or lists of values to combine"),
    ({"first": [3]}, "search.first.1: 3 is refused: write fields and their values"),
    ({"first": {"alpha": [0, 0.1, 0.2]}}, "search.trials: 2 is less than the 3 points in 'first'"),
    ({"first": {"learning_rate": 0.001}}, "search.first.1.learning_rate: no branch of 'learning_rate' applies here: i"),
    ({"sampler": "grid", "first": {"alpha": [0]}}, "search.first: a grid visits every combination"),
    ({"sampler": "grid", "trials": 99}, "search.trials: 99 is more than the grid's 55 combinations"),
    ({"trials": None}, "search.trials: the sampler 'random' needs it"),
]


@pytest.mark.parametrize(("search", "sentence"), REFUSED_POINTS)
def test_a_first_point_outside_the_space_and_a_budget_that_does_not_fit_are_refused(
    search: dict[str, Any], sentence: str
) -> None:
    space = yaml.safe_load(BRANCHES) | {"alpha": {"type": "float", "low": 0, "high": 1, "step": 0.1}}
    with pytest.raises(SpaceError) as refusal:
        parse({"search": {"sampler": "random", "trials": 2, "space": space, **search}}, "space")
    assert str(refusal.value).startswith(f"space.yaml: {sentence}")


REFUSED_SELECTIONS = [
    (
        "objective: factbook/multilingual/map",
        "objective.metric: 'factbook/multilingual/map' is not a figure of the val",
    ),
    ("objective: validation/multilingual/mpa", "objective.metric: unknown metric 'mpa': did you mean 'map'?"),
    ("objective: validation/multilingul/map", "objective.metric: 'multilingul/map' does not start with a setting"),
    (
        "objective: validation/monolingual/rank_distance",
        "objective.metric: 'rank_distance' does not exist in the setting 'monolingual'",
    ),
    (
        "objective: {metric: validation/multilingual/rank_distance, direction: maximize}",
        "objective.direction: 'maximize' would look for the worst 'validation/multilingual/rank_distance', of which",
    ),
    (
        "objective: {metric: validation/loss, direction: down}",
        "objective.direction: 'down' is refused: input should be",
    ),
    ("objective: [validation/loss, validation/loss]", "objective: 'validation/loss' is written twice"),
    ("objective: 3", "objective: 3 is refused: write keys and values (metric, direction)"),
    ("scheduler: ashaa", "scheduler: unknown scheduler 'ashaa': did you mean 'asha'?"),
    ("scheduler: {name: asha, min_step: 1}", "scheduler: unknown key 'min_step': did you mean 'min_steps'?"),
    ("scheduler: asha", "scheduler.min_steps: this key is missing"),
    ("scheduler: {name: hyperband, min_steps: 9, max_steps: 3}", "scheduler: min_steps 9 is above max_steps 3"),
    ("scheduler: {name: asha, min_steps: 400}", "scheduler.min_steps: 400 is not below the 400 steps of a trial, so"),
    (
        "scheduler: {name: asha, min_steps: 20}",
        "scheduler.min_steps: 20 is below the 50 steps between two validations, so one score would be judged in sev",
    ),
    ("scheduler: {name: hyperband, min_steps: 49, max_steps: 400}", "scheduler.min_steps: 49 is below the 50 steps"),
    (
        "scheduler: {name: asha, min_steps: 360}",
        "scheduler.min_steps: trials of 400 steps that are validated every 50 are not validated between step 360 and",
    ),
    ("scheduler: pbt", "scheduler: 'pbt' changes hyperparameters within a trial"),
    (
        "scheduler: median\nobjective: [validation/loss, validation/multilingual/map]",
        "scheduler: 'median' compares trials by one objective and there are 2: keep one under 'objective', or write",
    ),
]


@pytest.mark.parametrize(("lines", "sentence"), REFUSED_SELECTIONS)
def test_an_objective_or_scheduler_that_cannot_select_is_refused(lines: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(GOOD + lines, tmp_path)
    assert str(refusal.value).startswith(f"space.yaml: {sentence}")


def test_a_scheduler_that_never_sees_a_score_before_the_last_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SpaceError, match="validated every 400 are not validated between step 0 and their last, so none would"
    ):
        read(GOOD.replace("every: 50", "every: 400") + "scheduler: median", tmp_path)


def test_a_study_that_was_started_with_rounds_between_validations_is_resumed(tmp_path: Path) -> None:
    text = GOOD + "scheduler: {name: asha, min_steps: 20}"
    (tmp_path / "space.yaml").write_text(text, "utf-8")
    started = yaml.safe_load(text)
    assert load(str(tmp_path / "space.yaml"), started).scheduler == parse(started, "space").scheduler


def test_a_corpus_without_a_weight_beside_one_with_is_refused_unless_the_study_was_started_so(tmp_path: Path) -> None:
    space = "alpha: {type: float, low: 0, high: 1, step: 0.5}"
    own = f"{{name: parallel_jsonl, path: {tmp_path / 'คู่.jsonl'}"
    text = searching(space, trial=f"corpora: [{own}}}, {{name: factbook, weight: 2}}]")
    with pytest.raises(SpaceError) as refusal:
        read(text, tmp_path)
    assert str(refusal.value) == (
        "space.yaml: trial.corpora: 'factbook' has weight 2, and 'parallel_jsonl' without one would count as its "
        "number of rows: write a weight for every corpus, or for none"
    )
    assert load(str(tmp_path / "space.yaml"), yaml.safe_load(text)).examples
    for corpora in (f"[{own}, weight: 1}}, {{name: factbook, weight: 2}}]", f"[{own}}}, factbook]"):
        assert read(searching(space, trial=f"corpora: {corpora}"), tmp_path).examples


def test_a_loss_does_not_rank_trials_of_several_temperatures(tmp_path: Path) -> None:
    space = {
        "search": {"trials": 4, "space": {"temperature": {"type": "float", "low": 0.01, "high": 0.1}}},
        "objective": "validation/loss",
    }
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space), "utf-8")
    with pytest.raises(SpaceError, match="validation/loss cannot rank trials whose temperature is searched"):
        load(str(tmp_path / "space.yaml"))


@pytest.mark.parametrize(("seeds", "zero_shot"), [(1, "false"), (2, "true")])
def test_a_search_of_more_points_than_its_space_has_is_refused_unless_the_study_was_started_so(
    seeds: int, zero_shot: str, tmp_path: Path
) -> None:
    space = """
        query_prefix: {type: categorical, choices: ["คำถาม: ", "问题：", "سؤال: "]}
        alpha: {type: float, low: 0, high: 1, step: 1}
    """
    sampler = f"random\n  seeds: {seeds}\n  zero_shot: {zero_shot}\n  trials: "
    assert read(searching(space, f"{sampler}6"), tmp_path).draws
    with pytest.raises(SpaceError) as refusal:
        read(searching(space, f"{sampler}60"), tmp_path)
    assert str(refusal.value) == (
        "space.yaml: search.trials: 60 points, and the space has 6: write 'sampler: grid', or fewer trials"
    )
    assert load(str(tmp_path / "space.yaml"), started={}).draws


def test_first_points_may_repeat_each_other(tmp_path: Path) -> None:
    sampler = "random\n  trials: 3\n  first: [{alpha: 0}, {alpha: 1}, {alpha: 0}]"
    assert not read(searching("alpha: {type: float, low: 0, high: 1, step: 1}", sampler), tmp_path).draws
