"""docs/report.md and the report have one glossary, and it has the words that need one."""

from __future__ import annotations

import runpy
from pathlib import Path

from study.analysis.groups import SAMPLINGS
from study.pages.glossary import GLOSSARY, terms_in
from tasks.metrics import BIAS, QUALITY, metric
from tasks.schema import Setting

MAKER = Path(__file__).parents[1] / "docs" / "make_glossary.py"


def test_the_glossary_of_the_docs_is_what_the_code_says() -> None:
    text = MAKER.with_name("report.md").read_text("utf-8")
    assert runpy.run_path(str(MAKER))["page"](text) == text, "run `python docs/make_glossary.py`"


def test_every_way_to_sample_batches_setting_and_headline_metric_is_in_it_once_with_one_line() -> None:
    names = [term.name for term in GLOSSARY]
    headline = {metric(name).title.partition("@")[0] for name in (*QUALITY, *BIAS)}
    wanted = {*SAMPLINGS, "alpha", "language centring", *headline}
    assert wanted <= set(names)
    assert len(set(names)) == len(names)
    assert all(terms_in(setting) for setting in Setting)
    assert all(term.meaning and "\n" not in term.meaning and len(term.meaning) <= 110 for term in GLOSSARY)


def test_a_heading_is_explained_by_the_words_it_has_and_no_others() -> None:
    explained = {
        heading: {term.name for term in terms_in(heading)} for heading in ("mono nDCG@10", "X-X-mono ours", "p")
    }
    assert explained == {"mono nDCG@10": {"monolingual", "nDCG"}, "X-X-mono ours": {"X-X-mono"}, "p": {"p"}}
    assert {term.name for term in terms_in("p (Holm)")} == {"p", "p (Holm)"}
    assert not terms_in("trial")
