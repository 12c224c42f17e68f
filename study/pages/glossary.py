"""The words of the report, one line each: its glossary, the links from its tables' headings, and docs/report.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

from study.analysis.groups import HYBRID, PAIRWISE, ZERO_SHOT
from tasks.metrics import METRICS


@dataclass(frozen=True)
class Term:
    """A word and its meaning."""

    name: str
    meaning: str
    """One sentence without a full stop."""
    headings: tuple[str, ...] = ()
    """How table headings write it, where they do not write the name."""

    @property
    def anchor(self) -> str:
        """The id of its place on the page."""
        return "term-" + re.sub(r"\W+", "-", self.name.lower()).strip("-")

    def is_in(self, heading: str) -> bool:
        """Return whether a table heading contains the term as words of its own."""
        return any(_words(name) in _words(heading) for name in (self.name, *self.headings))


def _words(text: str) -> str:
    """Return a text as words in lower case, each between spaces."""
    return f" {' '.join(re.sub('[@(),]', ' ', text.lower()).split())} "


GLOSSARY = (
    Term("backbone", "the pretrained encoder that a trial fine-tunes"),
    Term("batches", "how a trial samples the pairs of a batch, by the names below"),
    Term("X-X-mono", "each batch is in one language: questions and passages alike, another language for another batch"),
    Term("X-X", "question and passage of a pair share their language, and a batch mixes languages"),
    Term("X-Y", "question and passage of a pair are in two different languages, and a batch mixes languages"),
    Term("En-En", "all pairs are English"),
    Term(HYBRID, "some batches are X-X-mono and the others X-Y, drawn with probability alpha"),
    Term(PAIRWISE, "some pairs of each batch are X-X and the others X-Y, drawn with probability alpha"),
    Term(ZERO_SHOT, "the backbone as it is, without training"),
    Term("alpha", "the share of monolingual batches, or pairs: 0 is X-Y, 1 is X-X-mono, or X-X"),
    Term("temperature", "divides the cosine scores in the loss; the lower, the more the hardest passages count"),
    Term(
        "seed",
        "decides batches, dropout and adapters' first weights; trials that differ in nothing else show the noise",
    ),
    Term("objective", "the metric on the validation benchmark that ranks trials; it is never a reported benchmark"),
    Term("validation", "measured on the validation benchmark, which selects checkpoints and trials"),
    Term("monolingual", "only passages in the question's language are searched", ("mono",)),
    Term(
        "cross-lingual", "passages in one other language are searched; a mean over all pairs", ("crosslingual", "cross")
    ),
    Term("multilingual", "passages in all languages are searched together; each language has an answer", ("multi",)),
    Term(
        "language centring",
        "a benchmark whose name ends in @centred subtracts the mean embedding of each language before searching",
        ("centred",),
    ),
    *(Term(each.title, each.description) for name, each in METRICS.items() if not name.startswith("first_hit")),
    Term("first hit", "share of questions whose first passage is relevant or not, in their language or another one"),
    Term("document", "the article or passage that questions are about; intervals count its questions together"),
    Term("95 % interval", "holds the difference in 95 % of studies with other seeds and other questions"),
    Term("p", "how likely a difference at least this large would be if there were none"),
    Term("p (Holm)", "p corrected for the number of languages in the table"),
    Term("beyond noise", "p is below 0.05: other seeds and questions would hardly turn the sign of the difference"),
    Term("Pareto front", "the settings that no other setting beats in every score", ("front",)),
    Term("unseen language †", "a language in no training corpus"),
)


def terms_in(heading: str) -> tuple[Term, ...]:
    """Return the terms that a table heading contains, the longest names first."""
    found = [term for term in GLOSSARY if term.is_in(heading)]
    return tuple(sorted(found, key=lambda term: -len(term.name)))


def glossary_markdown() -> str:
    """Return the glossary as a Markdown table."""
    rows = (f"| {term.name} | {term.meaning} |" for term in GLOSSARY)
    return "\n".join(("| word | meaning |", "| :-- | :-- |", *rows)) + "\n"
