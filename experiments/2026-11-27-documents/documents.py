"""How wide are intervals if questions about one article count together? Studies of this repository, measured before.

    PYTHONPATH=. python experiments/2026-11-27-documents/documents.py XQUAD_R MLQA_R

with the folders of both data sets. Copies each study, adds the document of each question to its positions, and compares
every pair of the study's groups before and after. Prints tables in Markdown.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pyarrow as pa

from study.analysis.comparison import Figure, compare
from study.analysis.groups import groups_of
from study.analysis.pairs import Pair
from study.analysis.statistics import LEVEL, Difference
from study.analysis.study import read_study
from study.analysis.verdict import is_judged
from study.results import files, layout
from tasks.plugins import load_benchmark
from tasks.schema import Setting

HERE = Path(__file__).parent.parent
STUDIES = {
    "2026-11-24-xquad-r-split/xquad-r-split": "xquad_r",
    "2026-11-26-transfer/xquad-to-mlqa": "mlqa_r",
    "2026-11-26-transfer/mlqa-to-xquad": "xquad_r",
}
FIGURES = [
    Figure(Setting.MONOLINGUAL, "map"),
    Figure(Setting.CROSSLINGUAL, "map"),
    Figure(Setting.MULTILINGUAL, "map"),
    Figure(Setting.MULTILINGUAL, "ndcg@10"),
    Figure(Setting.MULTILINGUAL, "mrr"),
    Figure(Setting.MULTILINGUAL, "language_preference"),
]
Key = tuple[str, str, str]


def differences(folder: str, benchmark: str) -> dict[Key, Difference]:
    """Return the difference of every two groups that differ in the way batches are sampled, in every figure."""
    study = read_study(folder)
    pairs = [Pair(*two) for two in combinations(groups_of(study.results), 2)]
    return {
        (each.pair.group.label, each.pair.baseline.label, figure.name): each.overall[figure]
        for each in compare(study, pairs, benchmark)
        for figure in FIGURES
        if figure in each.overall and is_judged(each.pair, each.overall[figure])
    }


def with_documents(folder: Path, benchmark: str, document_of: dict[str, str]) -> None:
    """Add the documents to the positions of every trial."""
    for result in read_study(str(folder)).results:
        file = layout.positions_file(layout.trial_folder(str(folder), result.number), benchmark)
        table = files.read_table(file)
        column = pa.array([document_of[query] for query in table["query_id"].to_pylist()])
        files.write_table(file, table.append_column("document", column))


def rows(paths: dict[str, str]) -> Iterator[str]:
    """Yield a table of widths, and the verdicts that change."""
    yield "| study | figure | differences | questions | documents | width: median | largest | verdicts that change |"
    yield "| :-- | :-- | --: | --: | --: | --: | --: | --: |"
    changed = []
    for name, benchmark in STUDIES.items():
        document_of = load_benchmark(benchmark, {"path": paths[benchmark]}).document_of()
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "study"
            shutil.copytree(HERE / name, copy)
            before = differences(str(copy), benchmark)
            with_documents(copy, benchmark, document_of)
            after = differences(str(copy), benchmark)
        for figure in FIGURES:
            keys = [key for key in after if key[2] == figure.name]
            if not keys:  # such as language preference, which older results do not have
                continue
            width = [(after[k].high - after[k].low) / (before[k].high - before[k].low) for k in keys]
            other = [key for key in keys if (after[key].p < LEVEL) != (before[key].p < LEVEL)]
            first = after[keys[0]]
            yield (
                f"| {Path(name).name} | {figure.name} | {len(keys)} | {first.questions} | {first.documents} | "
                f"{statistics.median(width):.2f} | {max(width):.2f} | {len(other)} |"
            )
            changed += [(Path(name).name, key, before[key], after[key]) for key in other]
    yield ""
    yield "| study | one | other | figure | before | p | by document | p |"
    yield "| :-- | :-- | :-- | :-- | --: | --: | --: | --: |"
    for study, key, was, found in changed:
        cells = [f"{d.value:+.4f} [{d.low:+.4f}, {d.high:+.4f}] | {d.p:.3f}" for d in (was, found)]
        yield f"| {study} | {' | '.join(key)} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print("\n".join(rows(dict(zip(("xquad_r", "mlqa_r"), sys.argv[1:], strict=True)))))
