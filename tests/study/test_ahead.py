"""Work ahead: in order, one item ahead, and in a thread of its own."""

from __future__ import annotations

import threading

import pytest

from study.ahead import ahead


def test_items_come_in_their_order_and_none_of_none() -> None:
    assert list(ahead(lambda item: item * 2, range(5))) == [0, 2, 4, 6, 8]
    assert list(ahead(str, [])) == []


def test_the_next_item_is_made_while_the_caller_works_with_one() -> None:
    made = {item: threading.Event() for item in range(3)}

    def make(item: int) -> tuple[int, int]:
        made[item].set()
        return item, threading.get_ident()

    for item, thread in ahead(make, range(3)):
        assert thread != threading.get_ident()
        if item < 2:
            assert made[item + 1].wait(30), "not made ahead"


def test_an_error_comes_in_the_place_of_its_item() -> None:
    results = ahead(lambda item: 1 // item, [2, 1, 0, 1])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_caller_may_stop_early() -> None:
    made: list[int] = []
    results = ahead(made.append, range(100))
    next(results)
    results.close()
    assert len(made) <= 3
