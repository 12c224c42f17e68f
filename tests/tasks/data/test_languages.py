from __future__ import annotations

import pytest

from tasks.data.languages import language_code


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["zh", "zh-CN", "zh_cn", "zho", "cmn", "zho_Hans", "zh-Hans-CN"], "zh"),
        (["zh-TW", "zho_Hant", "zh-Hant"], "zh_Hant"),
        (["pt", "pt-br", "por_Latn"], "pt"),
        (["de", "deu", "de-AT", "deu_Latn"], "de"),
        (["ar", "arb", "arb_Arab"], "ar"),
        (["ary", "ary_Arab"], "ary"),
        (["no"], "no"),
        (["sr"], "sr"),
        (["sr-Latn"], "sr_Latn"),
        (["Thai", "../th", "th th", "", "eng-deu"], None),
    ],
)
def test_every_spelling_of_a_language_is_one_code(names: list[str], code: str | None) -> None:
    assert {name: language_code(name) for name in names} == dict.fromkeys(names, code)
