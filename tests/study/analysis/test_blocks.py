"""Crossed designs: which groups share seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from study.analysis.blocks import block_of, largest_blocks
from study.analysis.groups import Group, groups_of
from study.results.trial_result import CorpusRecord
from tests.study.trial_results import trial_result


def groups_with(*settings: tuple[dict[str, Any], Sequence[int]]) -> list[Group]:
    """Return one group for each configuration and its seeds; trials are numbered in order."""
    trials = [config | {"seed": seed} for config, seeds in settings for seed in seeds]
    return list(groups_of(trial_result(number, **config) for number, config in enumerate(trials)))


def test_every_group_with_the_seeds_of_a_pair_is_part_of_its_design() -> None:
    groups = groups_with(
        ({"alpha": 0.0}, (0, 1, 2)), ({"alpha": 0.5}, (0, 1)), ({"alpha": 1.0}, (0, 1, 2)), ({"alpha": 0.7}, (0, 3))
    )
    block = block_of(groups[:2], groups)
    assert block
    assert block.seeds == (0, 1)
    assert block.numbers == ((0, 1), (3, 4), (5, 6))


def test_groups_of_another_encoder_batch_size_or_corpus_are_not_part_of_it() -> None:
    groups = groups_with(
        ({"alpha": 0.0}, (0, 1, 2)),
        ({"alpha": 1.0}, (0, 1, 2)),
        ({"backbone": "builtin/labse-tiny"}, (0, 1, 2)),
        ({"batch_size": 50}, (0, 1, 2)),
        ({"corpora": ["mmarco"]}, (0, 1, 2)),
        ({"steps": 0}, (0, 1, 2)),
    )
    block = block_of(groups[:2], groups)
    assert block
    assert [group.alpha for group in block.groups] == [0, 1]
    assert block_of([groups[0], groups[2]], groups) is None


def test_a_corpus_in_fewer_languages_is_part_of_it_if_it_has_as_many_rows() -> None:
    english = {"corpora": [{"name": "factbook", "languages": ["en"]}]}
    groups = groups_with(({"alpha": 0.0}, (0, 1)), (english, (0, 1)), ({"alpha": 1.0}, (0, 1)))
    block = block_of(groups[:2], groups)
    assert block
    assert len(block.groups) == 3


def test_a_corpus_with_other_rows_in_fewer_languages_is_not_part_of_it() -> None:
    english = {"corpora": [{"name": "factbook", "languages": ["en"]}]}
    trials = [config | {"seed": seed} for config in ({"alpha": 0.0}, english, {"alpha": 1.0}) for seed in (0, 1, 2)]
    results = []
    for number, config in enumerate(trials):
        record = CorpusRecord(name="factbook", revision="1", rows=1064 if "corpora" in config else 977)
        results.append(trial_result(number, **config).model_copy(update={"corpora": (record,)}))
    groups = groups_of(results)
    block = block_of([groups[0], groups[2]], groups)
    assert block
    assert [group.alpha for group in block.groups] == [0, 1]
    assert block_of(groups[:2], groups) is None


def test_two_settings_with_two_seeds_are_too_few() -> None:
    few = groups_with(({"alpha": 0.0}, (0, 1)), ({"alpha": 1.0}, (0, 1)))
    assert block_of(few, few) is None
    more_seeds = groups_with(({"alpha": 0.0}, (0, 1, 2)), ({"alpha": 1.0}, (0, 1, 2)))
    assert block_of(more_seeds, more_seeds)
    one_shared = groups_with(({"alpha": 0.0}, (0, 1)), ({"alpha": 1.0}, (1, 2)), ({"alpha": 0.5}, (0, 1, 2)))
    assert block_of(one_shared[:2], one_shared) is None


def test_an_untrained_group_has_the_seeds_of_the_other() -> None:
    groups = groups_with(({"alpha": 0.5}, (0, 1)), ({"steps": 0}, (0,)))
    block = block_of(groups, groups)
    assert block
    assert block.numbers == ((0, 1),)
    untrained = groups_with(({"steps": 0}, (0,)), ({"steps": 0, "backbone": "builtin/labse-tiny"}, (0,)))
    assert block_of(untrained, untrained) is None


def test_the_largest_design_trades_settings_for_seeds() -> None:
    """First 4 x 2 against 2 x 3, with 3 and 2 degrees of freedom; then 6 x 2 against 4 x 3, with 5 and 6."""
    two = [({"alpha": alpha}, (0, 1)) for alpha in (0.1, 0.2)]
    three = [({"alpha": alpha}, (0, 1, 2)) for alpha in (0.0, 0.5)]
    (block,) = largest_blocks(groups_with(*two, *three))
    assert (len(block.groups), block.seeds) == (4, (0, 1))
    (block,) = largest_blocks(groups_with(*two, *three, ({"alpha": 0.7}, (0, 1, 2)), ({"alpha": 1.0}, (0, 1, 2))))
    assert (len(block.groups), block.seeds) == (4, (0, 1, 2))


def test_a_seed_that_was_run_twice_counts_once() -> None:
    groups = groups_with(({"alpha": 0.0}, (0, 0, 1)), ({"alpha": 0.5}, (0, 1)), ({"alpha": 1.0}, (0, 1)))
    block = block_of(groups[:2], groups)
    assert block
    assert block.numbers[0] == (0, 2)


def test_one_seed_makes_no_design() -> None:
    assert largest_blocks(groups_with(*(({"alpha": alpha}, (0,)) for alpha in (0.0, 0.5, 1.0)))) == []
