"""How corpora are written in labels: by name, and by what tells them apart."""

from __future__ import annotations

from typing import Any

from study.analysis.formats import setting, setting_among
from study.config import TrialConfig


def corpora(*written: dict[str, Any] | str) -> Any:
    return TrialConfig.model_validate({"corpora": written}).corpora


def xquad(**options: Any) -> dict[str, Any]:
    return {"name": "lareqa", "path": "/data/xquad-r", "held_out": 60} | options


def test_a_corpus_goes_by_its_name_and_what_it_is_given() -> None:
    assert setting(corpora("mmarco")) == "mmarco"
    assert setting(corpora(xquad())) == "lareqa (data/xquad-r, held_out 60)"
    assert setting(corpora(xquad(languages=["th"]), {"name": "mmarco", "weight": 2})) == (
        "lareqa (data/xquad-r, held_out 60, languages [th]), mmarco (weight 2)"
    )


def among(*values: Any) -> list[str]:
    return [setting_among("corpora", value, values) for value in values]


def test_corpora_are_told_apart_by_what_differs_alone() -> None:
    assert among(corpora(xquad()), corpora(xquad(languages=["en"]))) == ["languages all", "languages [en]"]
    assert among(corpora(xquad()), corpora(xquad(held_out=0, rows=150))) == [
        "held_out 60, rows none",
        "held_out none, rows 150",
    ]
    one, other = corpora(xquad(path="/a/data/train")), corpora(xquad(path="/b/data/train"))
    assert among(one, other) == ["path /a/data/train", "path /b/data/train"]


def test_other_corpora_go_by_their_names() -> None:
    assert among(corpora(xquad()), corpora("mmarco")) == [
        "corpora lareqa (data/xquad-r, held_out 60)",
        "corpora mmarco",
    ]
    several = corpora(xquad(), "mmarco"), corpora(xquad(languages=["en"]), "mmarco")
    assert among(*several) == ["lareqa (languages all)", "lareqa (languages [en])"]


def test_settings_that_are_no_corpora_are_written_with_their_names() -> None:
    assert setting_among("alpha", 0.25, [0.25, 0.5]) == "alpha 0.25"
