from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.config_sections import WindowsConfig
from study.model.encoder import TextForm
from study.model.windows import Windows
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import evaluate
from tasks.errors import UserError
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tests.toy_encoder import toy_encoder

ENCODER = toy_encoder()
TOKENS, STRIDE = 40, 16


def test_a_text_that_fits_is_one_window_and_tokenized_as_any_passage() -> None:
    for text in ("", "สวัสดี", "河流很长"):
        (cut,) = Windows(ENCODER, WindowsConfig(tokens=TOKENS, stride=STRIDE))([text])
        assert cut == ENCODER.tokenize([text], "passage")


@settings(deadline=None)
@given(st.text(alphabet="abc แม่น้ำ 河流很长 نهر طويل", min_size=1, max_size=200), st.integers(1, TOKENS))
def test_windows_hold_every_token_of_a_text_in_its_order_and_are_no_longer_than_asked(text: str, stride: int) -> None:
    (windows,) = Windows(ENCODER, WindowsConfig(tokens=TOKENS, stride=stride))([text])
    prefix, _ = ENCODER.forms["passage"]
    around = ENCODER.tokenize([""], "passage")[0]
    content = ENCODER.tokenizer(text, add_special_tokens=False)["input_ids"]
    covered = 0
    for window in windows:
        assert len(window) <= TOKENS
        assert (window[: len(around) - 1], window[-1]) == (around[:-1], around[-1]), f"{prefix} and special tokens"
        held = window[len(around) - 1 : -1]
        starts = [at for at in range(covered + 1) if content[at : at + len(held)] == held]
        assert starts, "a gap between two windows, or tokens that the text does not have there"
        covered = max(covered, starts[-1] + len(held))
    assert covered == len(content)


def test_windows_are_those_of_the_tokenizer_s_own_overflow_but_for_the_last_which_ends_with_the_text() -> None:
    encoder = toy_encoder()
    encoder.forms["passage"] = TextForm("", 64)
    texts = ["河流很长" * 30, "แม่น้ำโขงยาวมาก" * 9]
    found = Windows(encoder, WindowsConfig(tokens=TOKENS, stride=STRIDE))(texts)
    for text, windows in zip(texts, found, strict=True):
        expected = encoder.tokenizer(
            text, truncation=True, max_length=TOKENS, stride=TOKENS - 2 - STRIDE, return_overflowing_tokens=True
        )["input_ids"]
        assert windows[:-1] == expected[:-1]
        assert len(windows) == len(expected)
        assert len(windows[-1]) == TOKENS


def test_a_window_is_never_longer_than_the_longest_passage_and_has_room_for_text() -> None:
    encoder = toy_encoder()
    encoder.forms["passage"] = TextForm("Passage: ", 20)
    (windows,) = Windows(encoder, WindowsConfig(tokens=TOKENS, stride=STRIDE))(["河流很长" * 30])
    assert {len(window) for window in windows} == {20}
    encoder.forms["passage"] = TextForm("Passage: ", 11)
    with pytest.raises(UserError, match=r"windows of 11 tokens have no room for text, as .* are 11: raise windows"):
        Windows(encoder, WindowsConfig(tokens=TOKENS, stride=STRIDE))


def test_what_a_passage_says_beyond_its_first_tokens_is_found_by_a_window_alone() -> None:
    answer = "แม่น้ำโขง"
    passages = [Passage(f"th-{i}", "ก" * 60 + text) for i, text in enumerate(("ดวงจันทร์", "ทะเลทราย", answer))]
    benchmark = Benchmark(
        "long",
        "1",
        {"th": Texts.of([Query("q", answer)])},
        [Pool("th", "th", Texts.of(passages))],
        {"q": {"th-2": 1}},
        (Setting.MONOLINGUAL,),
        ("mrr",),
    )
    encoder = toy_encoder()
    cut = evaluate(encoder, benchmark, Encoding(windows=Windows(encoder, WindowsConfig(tokens=40, stride=4))))
    whole = evaluate(encoder, benchmark, Encoding())
    assert cut.metrics == {"long/monolingual/mrr": 1.0}
    # Their first tokens are the same, so the three tie, and the third passage comes last.
    assert whole.metrics == {"long/monolingual/mrr": 1 / 3}
