"""From a table of articles and a table of questions to a study: `python examples/from_tables.py DATA`.

DATA holds two CSV files, separated by commas, semicolons or tabs:

    articles.csv     id (or article_id), language (or lang), title (may be left out), body (or text, content)
    questions.csv    id (or question_id), language (or lang), question (or query, text), article_id (or article_ids,
                     answer_id, answers, article)

Upper and lower case, spaces and underscores in these names are the same.

Translations of a question have one id. Translations of an article have one id, or ids of their own: then each question
lists them all, as in `A001;A002`. An article answers its questions in every language. Written beside the tables:

    test/         a benchmark: about a fifth of the questions, against all articles
    train.jsonl   pairs to train on: questions about other articles
    study.yaml    a search space that uses both
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))  # this project, where it is not installed

from study.cli import DEFAULT_STORAGE
from study.config import TrialConfig
from study.corpora import training_corpora
from study.runtime.data_checks import FEW_QUESTIONS, rows_for_enough_questions
from tasks.data.columns import Column, Table
from tasks.data.languages import language_code, not_a_language
from tasks.data.text_lines import text_lines
from tasks.errors import UserError
from tasks.plugins import load_benchmark, load_corpus
from tasks.schema import Corpus, Rows

LANGUAGE, TITLE = Column(("language", "lang")), Column(("title",), required=False)
BODY, QUESTION = Column(("body", "text", "content")), Column(("question", "query", "text"))
ANSWER = Column(("article_id", "article_ids", "answer_id", "answers", "article"))
ARTICLES = Table(
    "a table of articles",
    {"id": Column(("id", "article_id")), "language": LANGUAGE, "title": TITLE, "text": BODY},
    (),
)
QUESTIONS = Table(
    "a table of questions",
    {"id": Column(("id", "question_id")), "language": LANGUAGE, "text": QUESTION, "article": ANSWER},
    (),
)
SPACE = """\
trial:
  backbone: builtin/xlmr-tiny                # random weights; for a pretrained model, a folder or an id of the hub:
  # backbone: intfloat/multilingual-e5-small # and change learning_rate below
  # temperature: 0.02                        # E5's are trained at low ones; search it if in doubt
  corpora: [{{name: parallel_jsonl, path: train.jsonl, held_out: {held_out}}}]
  benchmarks: [{{name: local, path: test, label: test}}]
  validation:
    benchmark: {{name: held_out, corpus: {{name: parallel_jsonl, path: train.jsonl, held_out: {held_out}}}}}
    every: 50
  steps: 200
  batch_size: {batch_size}
  learning_rate: 3e-3                        # for random weights; 2e-5 to 5e-5 for a pretrained backbone
objective: validation/{metric}  # or validation/monolingual/mrr: the first answer in the reader's language
search:
  sampler: grid
  seeds: 2
  zero_shot: true
  space:
    alpha: {{type: categorical, choices: {alphas}}}
"""
Version = tuple[str, str]  # the id of an article or a question, and its language
Row = dict[str, Any]  # of the corpus


class Tables(NamedTuple):
    """Both tables; `answers` has the articles of each question, by id."""

    articles: dict[Version, str]
    questions: dict[Version, str]
    answers: dict[str, list[str]]

    def has_pair(self, question: Version) -> bool:
        """Return whether an article answers a question in its own language."""
        return any((article, question[1]) in self.articles for article in self.answers[question[0]])


def main(data: Path) -> None:
    """Read both tables of a folder, write the three parts beside them, and print what was written."""
    tables = read(data)
    tested = test_questions(tables)
    write_benchmark(data / "test", tables, tested)
    trained = tables._replace(questions={v: text for v, text in tables.questions.items() if v[0] not in tested})
    said = [*write_study(data, training_rows(trained)), *notes(tables, trained)]
    asked = counted("question", tables.questions.keys() - trained.questions.keys())
    print(f"test: {asked}, against {counted('article', tables.articles)}", *said, sep="\n")
    space, folder = shlex.quote(str(data / "study.yaml")), f"{os.environ.get('STUDY_STORAGE') or DEFAULT_STORAGE}/first"
    print(f"next: python -m study.run {space} --dry-run", f"then: python -m study.run {space} --name first", sep="\n")
    print(f"then: python -m study.compare {folder}  # study.report and study.export take the folder, too")


def read(data: Path) -> Tables:
    """Read both tables of a folder."""
    tables = Tables({}, {}, defaultdict(list))
    for where, (name, language), row in records(data / "articles.csv", ARTICLES):
        if (name, language) in tables.articles:
            raise UserError(f"{where}: article {name} is there twice in {language}: give each an id of its own")
        tables.articles[name, language] = f"{row.get('title', '')} {row['text']}".strip()
    known = {name for name, _ in tables.articles}
    for where, (name, language), row in records(data / "questions.csv", QUESTIONS):
        if tables.questions.setdefault((name, language), row["text"]) != row["text"]:
            raise UserError(f"{where}: question {name} is there twice in {language}: give each an id of its own")
        cell = row["article"]
        for article in [cell] if cell in known else filter(None, map(str.strip, re.split("[;|,]", cell))):
            if article not in known:
                raise UserError(f"{where}: question {name} names article {article}, which is not in articles.csv")
            if article not in tables.answers[name]:
                tables.answers[name].append(article)
    return tables


def records(file: Path, table: Table) -> Iterator[tuple[str, Version, dict[str, str]]]:
    """Yield the place, for messages, the id with the language, and all texts of each row; only a title may be empty."""
    (_, header), *rows = csv_rows(file)
    header = [re.sub(r"\s+", "_", name) for name in header]
    if twice := [name for name, count in Counter(header).items() if count > 1 and name]:
        raise UserError(f"{file} has two columns {twice[0]}: remove or rename one")
    # Beside a column `id`, one such as `article_id` is something else.
    has_id, other_ids = "id" in map(str.casefold, header), table.columns["id"].names[1:]
    names = table.chosen([name for name in header if not (has_id and name.casefold() in other_ids)], str(file))
    unused = [name for name in header if name not in names.values()]
    used = ", ".join(f"{name} as {column}" if name != column else name for column, name in names.items())
    print(f"{file.name}: columns {used}{f'; not used: {chr(44).join(unused)}' if unused else ''}")
    for where, cells in rows:
        if len(cells) != len(header):
            quotes = "put texts that contain the separator into quotes"
            raise UserError(f"{where} has {len(cells)} cells, but the first line has {len(header)}: {quotes}")
        row = {column: cells[header.index(name)] for column, name in names.items()}
        for column, name in names.items():
            if table.columns[column].required and not row[column].strip(";|, "):
                raise UserError(f"{where}: the cell below '{name}' is empty: fill it, or remove the row")
        language = language_code(row["language"])  # in one spelling: zh-CN and zho are zh
        if language is None:
            raise UserError(f"{where}: {not_a_language(row['language'])}")
        yield where, (row["id"], language), row


def csv_rows(file: Path) -> list[tuple[str, list[str]]]:
    """Return the place, for messages, and the cells of each row of a CSV file, with its header."""
    if not file.is_file():
        raise UserError(f"there is no file {file}: the folder needs articles.csv and questions.csv")
    lines = [f"{line}\n" for _, line in text_lines(file)]
    separator = max(",;\t", key="".join(lines[:1]).count)
    csv.field_size_limit(sys.maxsize)  # articles may be long
    reader, rows, line = csv.reader(lines, delimiter=separator, strict=True), [], 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):  # spreadsheets may add rows of separators alone
                rows.append((f"{file}, line {line}", [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{file}, line {line} cannot be read: {error}") from None
    if len(rows) < 2:
        raise UserError(f"{file} is empty: its first line names the columns, and each other line is a row")
    return rows


def test_questions(tables: Tables) -> set[str]:
    """Return the questions of the benchmark, which share no article with any other question.

    They are a fifth of those that can be trained on, and all that cannot, as no article is in their language.
    """
    trainable = {version[0] for version in tables.questions if tables.has_pair(version)}
    groups = connected(tables.answers)
    tested = {question for group in groups if trainable.isdisjoint(group) for question in group}
    divisible = [group for group in groups if not trainable.isdisjoint(group)]
    if len(divisible) == 1:
        raise UserError("no question can be kept for a test, as all that can be trained on share articles, or are one")
    languages = languages_of(tables.questions)
    # Every language gets its share of both parts, whatever the order of the table.
    divisible.sort(key=lambda group: (sorted(languages[group[0]]), hashlib.sha256(group[0].encode()).digest()))
    total, seen, taken = sum(map(len, divisible)), 0, 0
    for group in divisible:
        if 5 * taken <= seen and 5 * len(group) <= total:
            tested.update(group)
            taken += len(group)
        seen += len(group)
    if divisible and not taken:
        smallest = min(divisible, key=len)
        tested.update(smallest)
    return tested


def connected(answers: Mapping[str, list[str]]) -> list[list[str]]:
    """Group the questions that share an article, directly or over other questions."""
    leader, first = {question: question for question in answers}, dict[str, str]()

    def root(question: str) -> str:
        while leader[question] != question:
            question = leader[question]
        return question

    for question, articles in answers.items():
        for article in articles:
            leader[root(question)] = root(first.setdefault(article, question))
    groups = defaultdict(list)
    for question in answers:
        groups[root(question)].append(question)
    return list(groups.values())


def training_rows(tables: Tables) -> list[Row]:
    """Return the rows of the corpus: a question and its article, in each language that both are in.

    Translations of a question share rows. A question in one language joins questions in others that have the same
    articles, in turn, as each article answers them all. Several articles in one language are as many rows.
    """
    languages, turns = languages_of(tables.questions), Counter[tuple[frozenset[str], str]]()
    joined: dict[object, dict[str, str]] = defaultdict(dict)
    for name, language in tables.questions:
        about = frozenset(tables.answers[name])
        joined[name if len(languages[name]) > 1 else (about, turns[about, language])][language] = name
        turns[about, language] += len(languages[name]) == 1
    rows = []
    for asked in joined.values():
        found = {
            article: [language for language in asked if (article, language) in tables.articles]
            for article in tables.answers[next(iter(asked.values()))]
        }
        passages: dict[str, list[str]] = {language: [] for language in asked}
        for article in sorted(found, key=lambda article: -len(found[article])):  # so that translations share a row
            for language in found[article]:
                passages[language].append(tables.articles[article, language])
        for place in range(max(map(len, passages.values()))):
            pairs = {
                language: {"query": tables.questions[name, language], "passage": passages[language][place]}
                for language, name in asked.items()
                if place < len(passages[language])
            }
            rows.append({"id": "+".join(dict.fromkeys(asked.values())), "pairs": pairs})
    return rows


def write_study(data: Path, rows: list[Row]) -> list[str]:
    """Write the corpus and the search space, and return sentences on what they hold."""
    if len(rows) < 2:
        raise UserError(f"too few questions are left to train on, so that only {data / 'test'} was written")
    write_lines(data / "train.jsonl", rows)
    source: dict[str, Any] = {"name": "parallel_jsonl", "path": str((data / "train.jsonl").resolve())}
    corpus = load_corpus(source["name"], {"path": source["path"]})
    # Nothing that shares a text with held-out rows is trained on, so fewer are held out where questions share articles;
    # and no more than 500, as each validation embeds them all.
    groups = min(len(np.unique(part)) for part in corpus.components(np.arange(len(corpus))))
    source["held_out"] = max(1, min(max(len(corpus) // 10, 8), groups // 5, 500))
    validation = {"benchmark": {"name": "held_out", "corpus": source}}
    trial = TrialConfig.model_validate({"corpora": [source], "validation": validation})
    (training,) = training_corpora(trial)
    # A batch holds different passages: of the rows in one language, or of those in two or more.
    sizes = {language: passages_of(training, training.rows(language)) for language in training.languages}
    if few := {language for language, size in sizes.items() if size < 2}:
        kept = [row | {"pairs": {key: pair for key, pair in row["pairs"].items() if key not in few}} for row in rows]
        reason = f"left out of training: {', '.join(sorted(few))}, as fewer than two passages are too few for a batch"
        return [*write_study(data, [row for row in kept if row["pairs"]]), reason]
    fewest, where = min((size, f"in {language}") for language, size in sizes.items())
    aligned, said = passages_of(training, training.rows()), list[str]()
    if largest_batch(aligned) < min(largest_batch(fewest), 8):  # or few rows would make all batches small
        said.append(f"alpha: 1 alone, as {plural(aligned, 'passage')} in two or more languages are too few for a batch")
    elif aligned < fewest:
        fewest, where = aligned, "in two or more languages"
    metric, batch_size = f"{'multilingual' if len(sizes) > 1 else 'monolingual'}/map", largest_batch(fewest)
    alphas = [1] if said else [0, 0.5, 1]
    space = SPACE.format(held_out=source["held_out"], metric=metric, batch_size=batch_size, alphas=alphas)
    file = data / "study.yaml"
    if file.exists() and file.read_text("utf-8") != space:
        said.append(f"{file} is kept as it is: remove it to have it written anew")
    else:
        file.write_text(space, "utf-8")
    benchmark = load_benchmark("held_out", {"corpus": source})
    of_each = {language: len(training.rows(language)) for language in sizes}
    kept_out = plural(len(corpus) - len(training), "row")
    shown = ", ".join(f"{language} {count}" for language, count in of_each.items())
    enough = rows_for_enough_questions(source, benchmark.questions)
    can = enough is not None and enough < groups
    how = f"write `held_out: {enough}` in both places of {file.name}" if can else "take more"
    advice = f": study.run asks for {FEW_QUESTIONS} at least: {how}"
    too_few = advice if benchmark.questions < FEW_QUESTIONS else ""
    return [
        f"training: {plural(len(training), 'row')}, each an article with a question in one or more languages ({shown})",
        f"validation: {plural(benchmark.questions, 'question')}{too_few}; not trained on: {kept_out} with these texts",
        f"batch_size: {batch_size}, as there are {plural(fewest, 'passage')} to train on {where}",
        *said,
    ]


def passages_of(corpus: Corpus, rows: Sequence[int] | Rows) -> int:
    """Count the different passages of rows; translations are one."""
    return len(np.unique(corpus.keys(np.array(rows, dtype=np.int64)).passages))


def largest_batch(passages: int) -> int:
    """Return the largest power of two that a number of passages allows, up to 32; 0 for none."""
    return max(size for size in (0, 1, 2, 4, 8, 16, 32) if size <= passages)


def notes(tables: Tables, trained: Tables) -> Iterator[str]:
    """Yield what the training rows leave out, and what the statistics would misunderstand."""
    if crossing := [version for version in tables.questions if not tables.has_pair(version)]:
        tested = {name for name, _ in crossing}.difference(name for name, _ in trained.questions)
        yield (
            f"left out of training: {counted('question', crossing)} without an article in the same language, as a row "
            f"holds both in one language; {len(tested)} of them are in the benchmark"
        )
    named = {(article, language) for name, language in trained.questions for article in trained.answers[name]}
    about = {article for article, _ in named}
    if unasked := [version for version in tables.articles if version[0] in about and version not in named]:
        texts = counted("article", unasked)
        yield f"not trained on, as no question about them is in their language: {texts}; the test searches them too"
    asked = defaultdict(set)
    for name, language in tables.questions:
        asked[frozenset(tables.answers[name])].add(language)
    if len(tables.questions) == len(tables.answers) and any(len(languages) > 1 for languages in asked.values()):
        yield (
            "no question has its id in two languages: if some are translations of others, give them one id, as "
            "statistics count them as independent otherwise"
        )


def write_benchmark(folder: Path, tables: Tables, tested: Collection[str]) -> None:
    """Write all articles, the questions of the benchmark, and which articles answer them."""
    for old in [*folder.glob("*/corpus.jsonl"), *folder.glob("*/queries.jsonl")]:
        old.unlink()  # may be of a language that the tables no longer have
    parts, qrels = defaultdict(list), ["query-id\tcorpus-id\tscore"]
    for (article, language), text in tables.articles.items():
        parts[f"{language}/corpus.jsonl"].append({"_id": f"{article}-{language}", "text": text})
    for (name, language), text in tables.questions.items():
        if name in tested:
            parts[f"{language}/queries.jsonl"].append({"_id": name, "text": text})
    languages = languages_of(tables.articles)
    for name in filter(tested.__contains__, tables.answers):
        qrels += [f"{name}\t{article}-{key}\t1" for article in tables.answers[name] for key in languages[article]]
    for file, rows in parts.items():
        write_lines(folder / file, rows)
    (folder / "qrels.tsv").write_text("\n".join(qrels) + "\n", "utf-8")


def write_lines(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def languages_of(versions: Iterable[Version]) -> dict[str, list[str]]:
    """Return the languages of each id."""
    languages = defaultdict(list)
    for name, language in versions:
        languages[name].append(language)
    return languages


def counted(noun: str, versions: Collection[Version]) -> str:
    """Return such as `2 questions (th 2, zh 1)`: a translation has the id of what it translates."""
    languages = Counter(language for _, language in versions)
    of_each = ", ".join(f"{language} {count}" for language, count in sorted(languages.items()))
    return f"{plural(len({name for name, _ in versions}), noun)} ({of_each})"


def plural(count: int, noun: str) -> str:
    """Return such as `2 rows`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def refuse(reason: str) -> NoReturn:
    """End with a sentence and the status of refused input."""
    print(reason, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    if sys.argv[1:] in (["--help"], ["-h"]):
        sys.exit(print(__doc__))
    if len(sys.argv) != 2:
        refuse("name the folder of articles.csv and questions.csv: python examples/from_tables.py DATA")
    try:
        main(Path(sys.argv[1]))
    except (UserError, OSError) as error:
        refuse(str(error))
