"""From a table of articles and a table of questions to a study: `python examples/from_tables.py DATA`.

DATA holds `articles.csv` (id, language, title, body) and `questions.csv` (id, language, question, article_id). An
article has one id in all its languages, and so have translations of a question. Written beside them:

    train.jsonl   pairs to train on: the questions about four articles in five
    test/         a benchmark: the questions about every fifth article, against all articles
    study.yaml    a search space that uses both
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

Row = Mapping[str, str]
SPACE = """\
trial:
  backbone: builtin/xlmr-tiny                # a folder or an id of the hub, such as intfloat/multilingual-e5-small
  corpora: [{{name: parallel_jsonl, path: train.jsonl, held_out: {held_out}}}]
  benchmarks: [{{name: local, path: test, label: test}}]
  validation:
    benchmark: {{name: held_out, corpus: {{name: parallel_jsonl, path: train.jsonl, held_out: {held_out}}}}}
    every: 50
  steps: 200
  batch_size: {batch_size}
search:
  sampler: grid
  seeds: 2
  zero_shot: true
  space:
    alpha: {{type: categorical, choices: [0, 0.5, 1]}}
"""


def main(data: Path) -> None:
    """Read both tables of a folder and write the three parts beside them."""
    read, questions = table(data / "articles.csv"), table(data / "questions.csv")
    articles = {(row["id"], row["language"]): f"{row['title']} {row['body']}" for row in read}
    for kind, rows in (("article", read), ("question", questions)):
        for (name, language), count in Counter((row["id"], row["language"]) for row in rows).items():
            if count > 1:
                sys.exit(f"{kind} {name} is there {count} times in {language}: give each an id of its own")
    for row in questions:
        if (row["article_id"], row["language"]) not in articles:
            sys.exit(f"question {row['id']}: there is no article {row['article_id']} in {row['language']}")
    tested = set(sorted({row["article_id"] for row in questions})[::5])
    write_benchmark(data / "test", articles, [row for row in questions if row["article_id"] in tested])
    training = pairs(articles, [row for row in questions if row["article_id"] not in tested])
    write_lines(data / "train.jsonl", ({"id": name, "pairs": languages} for name, languages in training.items()))
    held_out = max(1, len(training) // 10)
    space = SPACE.format(held_out=held_out, batch_size=min(32, max(2, len(training) // 4)))
    (data / "study.yaml").write_text(space, "utf-8")


def pairs(articles: Mapping[tuple[str, str], str], questions: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Return, per row of the corpus, a question and its article in each language.

    Translations of a question are a row. Other questions about an article are joined in turn, one per language: the
    article answers each of them in every language.
    """
    languages_of: dict[str, set[str]] = defaultdict(set)
    for row in questions:
        languages_of[row["id"]].add(row["language"])
    asked: dict[tuple[str, str], int] = defaultdict(int)
    rows: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in questions:
        article, language = row["article_id"], row["language"]
        name = row["id"]
        if len(languages_of[name]) == 1:
            name = f"{article}/{asked[article, language]}"
            asked[article, language] += 1
        rows[name][language] = {"query": row["question"], "passage": articles[article, language]}
    return rows


def write_benchmark(folder: Path, articles: Mapping[tuple[str, str], str], questions: Iterable[Row]) -> None:
    """Write all articles, these questions, and that an article answers its questions in every language it has."""
    passages, queries, qrels = defaultdict(list), defaultdict(list), ["query-id\tcorpus-id\tscore"]
    for (article, language), text in articles.items():
        passages[language].append({"_id": f"{article}-{language}", "text": text})
    for row in questions:
        queries[row["language"]].append({"_id": row["id"], "text": row["question"]})
        relevant = (f"{article}-{language}" for article, language in articles if article == row["article_id"])
        qrels += [f"{row['id']}\t{passage}\t1" for passage in relevant]
    for language in passages:
        write_lines(folder / language / "corpus.jsonl", passages[language])
        write_lines(folder / language / "queries.jsonl", queries[language])
    (folder / "qrels.tsv").write_text("\n".join(dict.fromkeys(qrels)) + "\n", "utf-8")


def table(file: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def write_lines(file: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
