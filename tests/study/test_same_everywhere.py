"""Ranks that use different things are refused."""

from __future__ import annotations

import pytest

from study import distributed
from study.same_everywhere import check_same_everywhere, check_same_precision
from tasks.plugins import TaskError
from tests.process_group import RunInGroup


def _check(own: str) -> None:
    check_same_everywhere({"corpus 'ข้อมูล'": "1" * 40, "the code": own.format(rank=distributed.rank())})


def test_ranks_that_use_the_same_go_on_and_others_are_refused_on_all_ranks(run_in_group: RunInGroup) -> None:
    run_in_group(2, _check, "0123456789abcdef")
    with pytest.raises(
        TaskError, match=r"the code is not the same on all nodes \(revision version 0 on .*, version 1 on .*\): copy it"
    ):
        run_in_group(2, _check, "version {rank}")


def test_one_process_is_always_of_one_mind() -> None:
    _check("0123456789abcdef")


def _compute(precisions: list[str]) -> None:
    check_same_precision(precisions[distributed.rank()])


def test_ranks_that_would_compute_in_two_precisions_are_refused(run_in_group: RunInGroup) -> None:
    run_in_group(2, _compute, ["bf16", "bf16"])
    with pytest.raises(
        TaskError, match=r"precision auto is bf16 on .* and fp32 on .*: run the workers of a trial on GP"
    ):
        run_in_group(2, _compute, ["bf16", "fp32"])
