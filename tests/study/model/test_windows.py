from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from study.config_sections import WindowsConfig
from study.model.encoder import Encoder
from study.model.windows import Windows
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import evaluate
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts
from tests.toy_encoder import toy_encoder

ENCODER = toy_encoder()
TOKENS, STRIDE = 40, 16


def windows_of(text: str, encoder: Encoder = ENCODER) -> list[str]:
    """The windows' texts, without prefix and special tokens."""
    (cut,) = Windows(encoder, WindowsConfig(tokens=TOKENS, stride=STRIDE))([text])
    decoded = [encoder.tokenizer.decode(ids, skip_special_tokens=True) for ids in cut]
    assert all(part.startswith("Passage: ") for part in decoded)
    return [part.removeprefix("Passage: ") for part in decoded]


def test_a_text_that_fits_is_one_window_and_tokenized_as_any_passage() -> None:
    for text in ("", "สวัสดี", "河流很长"):
        (cut,) = Windows(ENCODER, WindowsConfig(tokens=TOKENS, stride=STRIDE))([text])
        assert cut == ENCODER.tokenize([text], "passage")


@settings(deadline=None)
@given(st.text(alphabet="abc แม่น้ำ 河流很长 نهر طويل", min_size=1, max_size=200))
def test_windows_overlap_cover_the_whole_text_and_are_no_longer_than_asked(text: str) -> None:
    body = TOKENS - len(ENCODER.tokenize([""], "passage")[0])
    at = 0
    for part in windows_of(text):
        assert part in text
        assert len(part.encode()) <= body + 6  # a character of three bytes is never cut at either end
        start = text.index(part, max(0, at - len(part)))
        assert start <= at, "a gap between two windows"
        at = max(at, start + len(part))
    assert windows_of(text)[0] == text[: len(windows_of(text)[0])]
    assert text.endswith(windows_of(text)[-1])


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
