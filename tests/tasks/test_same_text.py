"""What counts as the same text where training and test must not share one."""

from __future__ import annotations

import pytest

from tasks.same_text import bare


@pytest.mark.parametrize(
    ("copy", "text"),
    [
        ("กรุง\u200bเทพ", "กรุงเทพ"),
        ("\u200fما العملة؟\u200e", "ما العملة؟"),
        ("ถาม\u00a0 7\n", "ถาม 7"),
        ("Cafe\u0301", "CAFÉ"),
        ("１２３", "123"),
    ],
)
def test_copies_differ_in_nothing_that_a_reader_sees(copy: str, text: str) -> None:
    assert bare(copy) == bare(text)


def test_other_texts_stay_apart() -> None:
    assert len({bare(text) for text in ("กรุงเทพ", "กรุงเทพฯ", "กรุง เทพ", "ما", "ماء")}) == 5
