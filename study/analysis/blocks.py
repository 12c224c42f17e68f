"""Which trials form a crossed design: groups of one encoder that were trained with the same seeds on the same rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from study.analysis.groups import Group


@dataclass(frozen=True)
class Block:
    """Groups that share seeds."""

    groups: tuple[Group, ...]
    seeds: tuple[int, ...]
    """Two or more, ascending."""

    @property
    def numbers(self) -> tuple[tuple[int, ...], ...]:
        """Trial numbers, by group and seed."""
        return tuple(tuple(trials_by_seed(group)[seed] for seed in self.seeds) for group in self.groups)


def trials_by_seed(group: Group) -> dict[int, int]:
    """Return the trial number for each seed of a group."""
    return {result.config.seed: result.number for result in group.results}


def _shared_design(group: Group) -> Hashable:
    """Return what has to be equal for trials of one seed to train one encoder on the same rows, measured alike."""
    config = group.config
    corpora = [
        (corpus.name, corpus.weight, str({key: value for key, value in corpus.options.items() if key != "languages"}))
        for corpus in config.corpora
    ]
    rows = tuple(record.rows for record in group.results[0].corpora)  # in fewer languages the same, if as many
    return config.backbone, tuple(corpora), rows, config.batch_size, str(config.benchmarks)


def block_of(pair: Sequence[Group], groups: Sequence[Group]) -> Block | None:
    """Return the crossed design in which two groups are compared, with every other group that has their seeds.

    It needs two shared seeds, and two degrees of freedom: a third setting or a third seed. Untrained groups have no
    seeds to share; they are compared with the other group's.

    Returns:
        None where the groups have to be compared unpaired: too few shared seeds, or different rows or encoders.
    """
    trained = [group for group in pair if group.config.steps]
    if len({_shared_design(group) for group in trained}) != 1:
        return None
    seeds = set.intersection(*(set(trials_by_seed(group)) for group in trained))
    block = _with_seeds(seeds, [group for group in groups if _shared_design(group) == _shared_design(trained[0])])
    enough = len(trained) == 1 or (len(block.groups) - 1) * (len(seeds) - 1) > 1
    return block if len(seeds) > 1 and enough else None


def largest_blocks(groups: Sequence[Group]) -> list[Block]:
    """Return, for each encoder and its rows, the crossed design with most degrees of freedom, where there is one.

    Only designs of at least two settings and two seeds count; a group that lacks some of the seeds is left out.
    """
    alike: dict[Hashable, list[Group]] = {}
    for group in groups:
        alike.setdefault(_shared_design(group), []).append(group)
    blocks = []
    for members in alike.values():
        designs = [_with_seeds(set(trials_by_seed(group)), members) for group in members if group.config.steps]
        largest = max(designs, key=_freedom, default=None)
        if largest and _freedom(largest):
            blocks.append(largest)
    return blocks


def lacking_seeds(block: Block, groups: Sequence[Group]) -> list[Group]:
    """Return the trained groups that would belong to a design if they had results for all of its seeds."""
    design = _shared_design(block.groups[0])
    return [
        group
        for group in groups
        if group.config.steps and group not in block.groups and _shared_design(group) == design
    ]


def _with_seeds(seeds: set[int], groups: Sequence[Group]) -> Block:
    members = [group for group in groups if group.config.steps and seeds <= set(trials_by_seed(group))]
    return Block(tuple(members), tuple(sorted(seeds)))


def _freedom(block: Block) -> int:
    return (len(block.groups) - 1) * (len(block.seeds) - 1)
