"""How often is a difference found that is none, if questions about one document are alike?

    PYTHONPATH=. python experiments/2026-11-27-documents/level.py

Settings are crossed with three seeds; a setting does better or worse on a document as a whole, and on its questions.
Sizes of documents are about those of XQuAD-R's articles, or all alike. Prints a table in Markdown.
"""

from __future__ import annotations

import numpy as np

from study.analysis.crossed import Crossed
from study.analysis.statistics import Floats, contributions
from tasks.schema import Rows

STUDIES, SETTINGS, SEEDS, LANGUAGES = 1_000, 5, 3, 4
XQUAD_R = [74, 39, 36, *[33] * 3, *[28] * 8, *[25] * 10, *[20] * 12, *[16] * 8, *[13] * 3, *[10] * 2]
"""About the sizes of its 48 articles: the three largest are its own, the others evened out."""
CASES = {
    "48 articles as in XQuAD-R": XQUAD_R,
    "48 documents of 25 questions": [25] * 48,
    "24 documents of 24 questions": [24] * 24,
    "10 documents of 20 questions": [20] * 10,
    "500 documents, 1 to 4 questions": [1 + number % 4 for number in range(500)],
    "one of 100 questions, 100 of one": [100, *[1] * 100],
    "one of 600 questions, 400 of one": [600, *[1] * 400],
    "100 documents by Zipf's law": [1 + 200 // number for number in range(1, 101)],
}


def study(document_Q: Rows, alike: float, seed_noise: float, random: np.random.Generator) -> Floats:
    """Return the values of a study without a difference, (settings, seeds, languages, questions).

    Args:
        document_Q: the document of each question.
        alike: part of a question's variance that its document shares.
        seed_noise: standard deviation of what a setting's seed does to all questions.
        random: draws.
    """
    documents, questions = document_Q.max() + 1, len(document_Q)
    by_document = random.normal(scale=np.sqrt(alike), size=(SETTINGS, 1, 1, documents))[..., document_Q]
    by_question = random.normal(scale=np.sqrt(1 - alike), size=(SETTINGS, 1, 1, questions))
    by_trial = random.normal(scale=0.5, size=(SETTINGS, SEEDS, LANGUAGES, questions))
    by_seed = random.normal(scale=seed_noise, size=(SETTINGS, SEEDS, 1, 1))
    return np.asarray(by_document + by_question + by_trial + by_seed)


def main() -> None:
    """Print the table."""
    random = np.random.default_rng(0)
    print(
        "| questions | share of a document in a question's variance | noise of a seed | questions alone | documents |"
    )
    print("| :-- | --: | --: | --: | --: |")
    for name, sizes in CASES.items():
        document_Q = np.repeat(np.arange(len(sizes)), sizes)
        for alike, seed_noise in ((0.0, 0.0), (0.1, 0.0), (0.1, 0.05), (0.3, 0.0)):
            found = np.zeros(2)
            for _ in range(STUDIES):
                values_ASUQ = study(document_Q, alike, seed_noise, random)
                for way, known in enumerate((None, document_Q)):
                    found[way] += Crossed(contributions(values_ASUQ, known)).difference(0, 1).p < 0.05
            alone, together = 100 * found / STUDIES
            print(f"| {name} | {alike} | {seed_noise} | {alone:.1f} | {together:.1f} |", flush=True)


if __name__ == "__main__":
    main()
