"""Ranks that use different things are refused."""

from __future__ import annotations

import pytest

from study import distributed
from study.same_everywhere import check_same_everywhere
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
