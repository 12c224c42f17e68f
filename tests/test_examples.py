"""The examples do what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from examples import from_tables
from study.config import TrialConfig
from study.corpora import training_corpora
from study.model.backbone import load_encoder
from study.model.sentence_transformers_folder import export
from study.retrieval.measurement import export_means
from study.runtime.data_checks import check_data
from study.space import study_config
from study.training.loop import Training
from tasks.errors import UserError
from tasks.plugins import load_benchmark

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
Tables = Callable[..., Path]
HEADERS = ("id,language,title,body", "id,language,question,article_id")


def run(*command: str, cwd: Path = ROOT) -> str:
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_benchmark_is_added_by_one_file_of_under_60_lines(tmp_path: Path) -> None:
    for package in ("study", "tasks"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(EXAMPLES / "capitals.py", tmp_path / "tasks" / "benchmarks")
    assert len((EXAMPLES / "capitals.py").read_text("utf-8").splitlines()) < 60
    printed = run(
        "-m", "study.evaluate", "builtin/xlmr-tiny", "--benchmarks", "capitals", "--output", "result.json", cwd=tmp_path
    )
    assert "capitals: 12 queries, 12 passages" in printed
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert 0 < result["metrics"]["capitals/multilingual/map"] <= 1
    assert len(result["benchmarks"]["capitals"]["by_pair"]) == 6


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Write two tables into a folder, a list of lines each, and return the folder."""
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STUDY_STORAGE", raising=False)

    def write(
        articles: Iterable[str],
        questions: Iterable[str],
        headers: tuple[str, str] = HEADERS,
        encoding: str = "utf-8",
    ) -> Path:
        for name, header, rows in zip(("articles", "questions"), headers, (articles, questions), strict=True):
            (tmp_path / f"{name}.csv").write_text("\n".join([header, *rows]), encoding)
        return tmp_path

    return write


def in_languages(articles: int, *languages: str) -> tuple[list[str], list[str]]:
    """Return the rows of both tables: all articles in all languages, and a question about each."""
    versions = [(number, language) for number in range(articles) for language in languages]
    return (
        [f"a{number},{language},เรื่อง {number},本文 {number} {language}" for number, language in versions],
        [f"q{number},{language},ใคร {number} {language},a{number}" for number, language in versions],
    )


def training_rows(data: Path) -> list[dict[str, dict[str, str]]]:
    """Return the question and the passage of each row, by language."""
    return [json.loads(line)["pairs"] for line in (data / "train.jsonl").read_text("utf-8").splitlines()]


def relevant(data: Path) -> dict[str, set[str]]:
    """Return the relevant passages of each question of the benchmark."""
    passages: dict[str, set[str]] = {}
    for line in (data / "test" / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        question, passage, _ = line.split("\t")
        passages.setdefault(question, set()).add(passage)
    return passages


def accepted(data: Path) -> dict[str, Any]:
    """Return the search space after the checks of a run, which refuse batches that cannot be drawn."""
    check_data(study_config.load(str(data / "study.yaml")), download=False)
    space: dict[str, Any] = yaml.safe_load((data / "study.yaml").read_text("utf-8"))
    return space


def test_a_column_that_is_not_used_is_named_and_an_edited_search_space_is_kept(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    articles, translated = in_languages(10, "th", "zh")
    data = tables(articles, translated)
    file = data / "articles.csv"
    file.write_text(file.read_text("utf-8").replace("id,language,title,body", "id,language,headline,body"), "utf-8")
    from_tables.main(data)
    assert "articles.csv: columns id, language, body as text; not used: headline" in capsys.readouterr().out
    space = data / "study.yaml"
    from_tables.main(data)
    assert "is kept as it is" not in capsys.readouterr().out
    space.write_text(space.read_text("utf-8").replace("steps: 200", "steps: 777"), "utf-8")
    from_tables.main(data)
    assert f"{space} is kept as it is: remove it to have it written anew" in capsys.readouterr().out
    assert "steps: 777" in space.read_text("utf-8")


def test_tables_of_articles_and_questions_become_a_benchmark_a_corpus_and_a_search_space(
    tables: Tables,
) -> None:
    articles, translated = in_languages(10, "th", "zh")
    own = [f"{language}-{n},{language},อีก {n} {language},a{n}" for n in range(10) for language in ("th", "zh")]
    data = tables(articles, [*translated, *own])
    printed = run(str(EXAMPLES / "from_tables.py"), str(data)).splitlines()
    rows = training_rows(data)
    assert len(rows) == 2 * 8  # the questions about two articles are tested
    assert all(row.keys() == {"th", "zh"} for row in rows)  # two questions about one article share a row, too
    pair = {"query": "ใคร 1 zh", "passage": "เรื่อง 1 本文 1 zh"}
    assert (pair in [row["zh"] for row in rows]) == ("q1" not in relevant(data))
    passages = run("-m", "study.fetch", "local", "--check", "--option", f"path={data / 'test'}")
    assert ["all", "8", "20", "8", "0", "0", "0"] in [line.split() for line in passages.splitlines()]
    assert sum(map(len, relevant(data).values())) == (2 + 4) * 2
    assert printed[:2] == [
        "articles.csv: columns id, language, title, body as text",
        "questions.csv: columns id, language, question as text, article_id as article",
    ]
    assert printed[2:6] == [
        "test: 6 questions (th 4, zh 4), against 10 articles (th 10, zh 10)",
        "training: 14 rows, each an article with a question in one or more languages (th 14, zh 14)",
        "validation: 2 questions: study.run asks for 50 at least: take more; not trained on: 2 rows with these texts",
        "batch_size: 4, as there are 7 passages to train on in th",
    ]
    space = data / "study.yaml"
    assert [line.partition("python -m ")[2].partition("  #")[0] for line in printed[6:]] == [
        f"study.run {space} --dry-run",
        f"study.run {space} --name first",
        "study.compare ~/multilingual-retrieval-studies/first",
    ]
    assert "learning_rate: 3e-3 " in space.read_text("utf-8")
    assert "2e-5 to 5e-5 for a pretrained backbone" in space.read_text("utf-8")


def test_tables_in_four_languages_make_a_search_space_that_a_dry_run_accepts(tables: Tables) -> None:
    data = tables(*in_languages(50, "ar", "en", "th", "zh"))
    from_tables.main(data)
    planned = run("-m", "study.run", str(data / "study.yaml"), "--dry-run")
    assert "7 trials, 1 of them zero-shot" in planned
    assert "32 rows to train on, 32 of them in two or more languages (ar, en, th, zh)" in planned
    assert "8 more rows are held out for validation or share a text with those that are" in planned
    assert accepted(data)["trial"]["batch_size"] == 32


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_have_other_names_of_columns_separators_and_a_byte_order_mark(
    tables: Tables, separator: str, encoding: str
) -> None:
    articles, questions = in_languages(10, "th", "zh")
    from_tables.main(tables(articles, questions))
    data = tables(articles, questions)
    written = {file: file.read_bytes() for file in data.rglob("*.*") if file.suffix in {".jsonl", ".tsv", ".yaml"}}
    headers = ("ID,Lang,Title,Text", " id ,LANGUAGE,Text,Article_IDs")
    lines = [[line.replace(",", separator) for line in part] for part in (articles, questions, headers)]
    empty = separator * 3
    from_tables.main(tables([*lines[0], empty], [*lines[1], "", empty], tuple(lines[2]), encoding))
    assert len(written) == 7
    assert {file: file.read_bytes() for file in written} == written


def test_a_table_without_titles_and_a_text_with_quotes_separators_and_line_breaks(tables: Tables) -> None:
    articles = [f'a{n},th,"บท {n}: ""ก"", ข\nค"' for n in range(10)]
    data = tables(articles, in_languages(10, "th")[1], ("id,lang,content", "id,lang,query,answers"))
    from_tables.main(data)
    assert [row["th"]["passage"] for row in training_rows(data)] == [
        f'บท {n}: "ก", ข\nค' for n in range(10) if f"q{n}" not in relevant(data)
    ]


THREE_ARTICLES = ["a1,th,ก,ข", "a2,th,ค,ง", "a1,zh,北,京"]
TWO_QUESTIONS = ["q1,th,จ,a1", "q2,th,ฉ,a2"]
TWICE = "is there twice in th: give each an id of its own"
EMPTY = "is empty: fill it, or remove the row"


@pytest.mark.parametrize(
    ("article", "message"),
    [
        ("a3,th,ก,", f"line 5: the cell below 'body' {EMPTY}"),
        (",th,ก,ข", f"line 5: the cell below 'id' {EMPTY}"),
        ("a3,th,ก", "line 5 has 3 cells, but the first line has 4: put texts that contain the separator into quotes"),
        (
            "a3,th,ก,ข,ค",
            "line 5 has 5 cells, but the first line has 4: put texts that contain the separator into quotes",
        ),
        ('a3,th,"ก\nข",ค\na4,th,ก,', f"line 7: the cell below 'body' {EMPTY}"),
        ('a3,th,ก,"ข', "line 5 cannot be read: unexpected end of data"),
        ("a3,Thai,ก,ข", "line 5: 'Thai' is not a language code such as th or zho_Hans; Thai is th"),
        ("a1,tha,ก,ข", f"line 5: article a1 {TWICE}"),
    ],
)
def test_an_article_that_cannot_be_used_is_refused_with_its_line(tables: Tables, article: str, message: str) -> None:
    data = tables([*THREE_ARTICLES, article], TWO_QUESTIONS)
    with pytest.raises(UserError) as refusal:
        from_tables.main(data)
    assert str(refusal.value) == f"{data / 'articles.csv'}, {message}"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("q3,th,,a1", f"the cell below 'question' {EMPTY}"),
        ("q3,th,จ, ; ", f"the cell below 'article_id' {EMPTY}"),
        ("q1,th,ช,a1", f"question q1 {TWICE}"),
        ("q3,th,ช,a1|a9", "question q3 names article a9, which is not in articles.csv"),
    ],
)
def test_a_question_that_cannot_be_used_is_refused_with_its_line(tables: Tables, question: str, message: str) -> None:
    data = tables(THREE_ARTICLES, [*TWO_QUESTIONS, question])
    with pytest.raises(UserError) as refusal:
        from_tables.main(data)
    assert str(refusal.value) == f"{data / 'questions.csv'}, line 4: {message}"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            ("id,language,title,words", HEADERS[1]),
            (
                "articles.csv has id, language, title, words, but a table of articles needs a column for its text: "
                "body or text or content"
            ),
        ),
        (
            (HEADERS[0], "id,language,question,page"),
            (
                "questions.csv has id, language, question, page, but a table of questions needs a column for its "
                "article: article_id or article_ids or answer_id or answers or article"
            ),
        ),
    ],
)
def test_a_table_that_lacks_a_column_is_refused_with_the_names_that_are_accepted(
    tables: Tables, headers: tuple[str, str], message: str
) -> None:
    data = tables(THREE_ARTICLES, TWO_QUESTIONS, headers)
    with pytest.raises(UserError) as refusal:
        from_tables.main(data)
    assert str(refusal.value) == f"{data}/{message}"


@pytest.mark.parametrize("header", ["", HEADERS[0]])
def test_a_table_without_rows_is_refused(tables: Tables, header: str) -> None:
    with pytest.raises(UserError, match=r"articles.csv is empty: its first line names the columns"):
        from_tables.main(tables([], TWO_QUESTIONS, (header, HEADERS[1])))


def test_questions_that_all_share_articles_cannot_be_split(tables: Tables) -> None:
    with pytest.raises(UserError, match="no question can be kept for a test, as all that can be trained on share"):
        from_tables.main(tables(THREE_ARTICLES, ["q1,th,จ,a1;a2", "q2,th,ฉ,a2"]))


def test_without_a_folder_or_its_tables_the_program_ends_with_one_sentence(tmp_path: Path) -> None:
    program = [sys.executable, str(EXAMPLES / "from_tables.py")]
    for arguments, message in (
        ([], "name the folder of articles.csv and questions.csv: python examples/from_tables.py DATA"),
        (
            [str(tmp_path)],
            f"there is no file {tmp_path / 'articles.csv'}: the folder needs articles.csv and questions.csv",
        ),
    ):
        ended = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{message}\n")


@pytest.mark.parametrize("separator", [";", "|", ", "])
def test_each_of_several_articles_is_relevant_and_a_row_to_train_on(tables: Tables, separator: str) -> None:
    articles = [f"a{n}{part},th,เรื่อง,{n} {part}" for n in range(20) for part in "xy"]
    questions = [f'q{n},th,ใคร {n},"a{n}x{separator}a{n}y"' for n in range(20)]
    data = tables(articles, questions)
    from_tables.main(data)
    assert len(relevant(data)) == 4
    assert all(passages == {f"a{q[1:]}x-th", f"a{q[1:]}y-th"} for q, passages in relevant(data).items())
    assert [tuple(row["th"].values()) for row in training_rows(data)] == [
        (f"ใคร {n}", f"เรื่อง {n} {part}") for n in range(20) if f"q{n}" not in relevant(data) for part in "xy"
    ]
    assert accepted(data)["trial"]["batch_size"] == 16  # 32 rows, of which 3 times 2 are held out


def test_an_id_with_a_separator_in_it_is_one_article(tables: Tables) -> None:
    articles = [f'"น้ำ, {n}",th,ก,{n}' for n in range(10)]
    data = tables(articles, [f'q{n},th,ใคร {n},"น้ำ, {n}"' for n in range(10)])
    from_tables.main(data)
    assert len(training_rows(data)) == 8


def test_articles_with_an_id_for_each_translation_meet_in_the_row_of_their_question(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    languages = ("ar", "th", "zh")
    articles = [f"{language}{n},{language},,{language} {n}" for n in range(50) for language in languages]
    questions = [f"q{n},{language},ใคร {n},ar{n};th{n};zh{n}" for n in range(50) for language in ("th", "zh")]
    data = tables(articles, questions)
    from_tables.main(data)
    assert len(relevant(data)) == 10
    assert all(passages == {f"{x}{q[1:]}-{x}" for x in languages} for q, passages in relevant(data).items())
    assert len(training_rows(data)) == 40
    assert training_rows(data) == [
        {language: {"query": f"ใคร {n}", "passage": f"{language} {n}"} for language in ("th", "zh")}
        for n in range(50)
        if f"q{n}" not in relevant(data)
    ]
    assert accepted(data)["trial"]["batch_size"] == 32
    reason = "not trained on, as no question about them is in their language"
    unasked = f"{reason}: 40 articles (ar 40); the test searches them too"
    assert unasked in (capsys.readouterr().out.splitlines())


def test_a_question_on_an_article_in_another_language_is_in_the_benchmark_alone(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    articles, questions = in_languages(20, "th", "zh")
    english = [f"e{n},en,title,{n}" for n in range(5)]
    crossing = [f"c{n},th,ใครพูดอังกฤษ {n},e{n}" for n in range(5)]
    shared = [f"s{n},ar,من {n},a{n}" for n in range(20)]
    data = tables([*articles, *english], [*questions, *crossing, *shared])
    from_tables.main(data)
    tested = relevant(data)
    assert {f"c{n}": {f"e{n}-en"} for n in range(5)}.items() <= tested.items()
    assert len(tested) == 5 + 2 * 4  # Arabic questions follow the article that they share with others
    assert all(tested[f"s{q[1:]}"] == tested[q] for q in tested if q.startswith("q"))
    assert [list(row) for row in training_rows(data)] == [["th", "zh"]] * 16
    assert (
        "left out of training: 25 questions (ar 20, th 5) without an article in the same language, as a row holds both "
        "in one language; 9 of them are in the benchmark"
    ) in capsys.readouterr().out.splitlines()
    accepted(data)


def test_where_no_question_has_an_article_in_its_language_the_benchmark_alone_is_written(
    tables: Tables,
) -> None:
    data = tables([f"a{n},en,title,{n}" for n in range(9)], [f"q{n},th,ใคร {n},a{n}" for n in range(9)])
    with pytest.raises(UserError, match=r"too few questions are left to train on, so that only .*/test was written"):
        from_tables.main(data)
    assert len(relevant(data)) == 9


@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=3), min_size=2, max_size=40))
def test_no_article_of_a_test_question_answers_a_training_question(answers: list[set[int]]) -> None:
    versions = {(f"a{n}", language): "ก" for n in range(31) for language in ("th", "zh")}
    names = {f"q{n}": [f"a{article}" for article in sorted(articles)] for n, articles in enumerate(answers)}
    read = from_tables.Tables(versions, {(name, "th"): "ข" for name in names}, names)
    if len(from_tables.connected(names)) == 1:
        return
    tested = from_tables.test_questions(read)
    articles = [{article for name in part for article in names[name]} for part in (tested, names.keys() - tested)]
    assert articles[0]
    assert articles[1]
    assert not articles[0] & articles[1]


def test_the_benchmark_has_a_fifth_of_each_languages_questions(tables: Tables) -> None:
    versions = [(n, ("ar", "en", "th", "zh", "vi")[n % 5]) for n in range(100)]
    articles = [f"a{n},{language},t,{n}" for n, language in versions]
    data = tables(articles, [f"q{n},{language},q {n},a{n}" for n, language in versions])
    from_tables.main(data)
    assert Counter(n % 5 for n in range(100) if f"q{n}" in relevant(data)) == dict.fromkeys(range(5), 4)


@pytest.mark.parametrize(
    ("articles", "held_out", "batch_size", "alphas"),
    [
        ({"th+zh": 300}, 24, 32, [0, 0.5, 1]),
        ({"th+zh": 60}, 8, 32, [0, 0.5, 1]),
        ({"th+zh": 20}, 3, 8, [0, 0.5, 1]),
        ({"th+zh": 15, "th": 100, "zh": 100}, 17, 8, [0, 0.5, 1]),
        ({"th+zh": 5, "th": 100, "zh": 100}, 16, 32, [1]),
        ({"th": 100, "zh": 100}, 16, 32, [1]),
        ({"th": 100, "zh": 8}, 8, 4, [1]),
    ],
)
def test_a_batch_is_the_largest_that_the_rows_left_by_validation_allow(
    tables: Tables, articles: Mapping[str, int], held_out: int, batch_size: int, alphas: list[float]
) -> None:
    versions = [
        (f"{languages}-{n}", language)
        for languages, count in articles.items()
        for n in range(count)
        for language in languages.split("+")
    ]
    data = tables(
        [f"{name},{language},,บท {name} {language}" for name, language in versions],
        [f"{name},{language},ใคร {name} {language},{name}" for name, language in versions],
    )
    from_tables.main(data)
    space = accepted(data)
    assert space["search"]["space"]["alpha"]["choices"] == alphas
    (corpus,) = space["trial"]["corpora"]
    assert (corpus["held_out"], space["trial"]["batch_size"]) == (held_out, batch_size)
    (left,) = training_corpora(next(iter(study_config.load(str(data / "study.yaml")).examples)))
    fewest = min(len(left.rows(population)) for population in ("th", "zh", None) if population or alphas != [1])
    assert batch_size == 32 or batch_size <= fewest < 2 * batch_size


def test_too_few_validation_questions_are_told_with_the_number_of_rows_that_gives_enough(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = [(n, language) for n in range(60) for language in ("th", "zh")]
    data = tables(
        [f"a{n},{language},,บท {n} {language}" for n, language in versions],
        [f"q{n},{language},ใคร {n} {language},a{n}" for n, language in versions],
    )
    from_tables.main(data)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("validation")]
    assert "16 questions: study.run asks for 50 at least: write `held_out: 25` in both places of study.yaml" in told
    space = (data / "study.yaml").read_text("utf-8").replace("held_out: 8}", "held_out: 25}")
    (data / "study.yaml").write_text(space, "utf-8")
    trial = next(iter(study_config.load(str(data / "study.yaml")).examples))
    benchmark = trial.validation.benchmark
    assert load_benchmark(benchmark.name, benchmark.options).questions == 50


def test_where_questions_share_articles_fewer_rows_are_held_out(tables: Tables) -> None:
    articles = [f"a{n},th,,บท {n}" for n in range(25)]
    data = tables(articles, [f"q{n},th,ใคร {n},a{n % 25}" for n in range(250)])
    from_tables.main(data)
    assert len(training_rows(data)) == 200
    assert accepted(data)["trial"]["corpora"][0]["held_out"] == 4  # of 20 articles
    assert accepted(data)["trial"]["batch_size"] == 16
    assert accepted(data)["objective"] == "validation/monolingual/map"


def test_a_language_with_too_few_questions_for_a_batch_is_left_out(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    articles, questions = in_languages(50, "th", "zh")
    data = tables([*articles, "x,ar,ا,ب", "y,ar,ت,ث"], [*questions, "qx,ar,ج,x", "qy,ar,ح,y"])
    from_tables.main(data)
    assert {language for row in training_rows(data) for language in row} == {"th", "zh"}
    assert (
        "left out of training: ar, as fewer than two passages are too few for a batch"
        in capsys.readouterr().out.splitlines()
    )
    assert accepted(data)["trial"]["batch_size"] == 32


def test_translations_of_a_question_with_ids_of_their_own_are_told(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    articles, questions = in_languages(20, "th", "zh")
    sentence = "no question has its id in two languages: if some are translations of others, give them one id"
    from_tables.main(tables(articles, questions))
    assert sentence not in capsys.readouterr().out
    from_tables.main(tables(articles, [f"{line.split(',')[1]}-{line}" for line in questions]))
    assert sentence in capsys.readouterr().out
    assert [list(row) for row in training_rows(tables(articles, questions))] == [["th", "zh"]] * 16


def test_an_exported_model_searches_six_sentences_in_three_languages(tmp_path: Path) -> None:
    config = next(iter(study_config.load(str(EXAMPLES / "my_corpus.yaml")).examples))
    export(load_encoder(config, torch.device("cpu")), tmp_path / "model", "card")
    lines = run(str(EXAMPLES / "search_sentences.py"), str(tmp_path / "model")).splitlines()
    assert len(lines) == 12
    scores = [float(line.split()[0]) for line in lines if line.startswith("  ")]
    assert len(scores) == 9
    for best in range(0, 9, 3):
        assert 1 >= scores[best] >= scores[best + 1] >= scores[best + 2]


def test_a_corpus_of_ones_own_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert "negatives per query: 7" in run("-m", "study.run", "examples/my_corpus.yaml", "--dry-run")
    config = next(iter(study_config.load("examples/my_corpus.yaml").examples))
    corpora = training_corpora(config)
    assert [corpus.languages for corpus in corpora] == [("ar", "th", "zh")]
    training = Training(config, load_encoder(config, torch.device("cpu")), corpora)
    losses = []
    for report in training.run():
        losses.append(report.metrics["loss"])
        if report.due_validation:
            training.validated(0.0, {})
    assert losses[-1] < losses[0]


def test_a_search_over_centred_passages_subtracts_the_exported_means(tmp_path: Path) -> None:
    config = next(iter(study_config.load(str(EXAMPLES / "my_corpus.yaml")).examples))
    encoder = load_encoder(config, torch.device("cpu"))
    export(encoder, tmp_path / "model", "card", export_means(encoder, config))
    lines = run(str(EXAMPLES / "search_centred.py"), str(tmp_path / "model")).splitlines()
    assert len(lines) == 9
    rankings = [line.split(":")[1].split() for line in lines if line.startswith("  ")]
    assert all(sorted(ranking) == ["ar", "ar", "th", "th", "zh", "zh"] for ranking in rankings)
    assert rankings[::2] != rankings[1::2]


def test_a_search_over_centred_passages_says_which_languages_have_no_mean(tmp_path: Path) -> None:
    encoder = load_encoder(TrialConfig(backbone="builtin/xlmr-tiny"), torch.device("cpu"))
    means = {language: torch.zeros(encoder.width) for language in ("th", "el", "all")}
    export(encoder, tmp_path / "model", "card", means)
    command = [sys.executable, str(EXAMPLES / "search_centred.py"), str(tmp_path / "model")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "has means of el, th, and none of ar, zh: export a study that" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("articles", "questions"),
    [
        ("id,language,title,body", "id,language,question,article_id"),
        ("Article ID,Language,Title,Body", "Question ID,Language,Question,Article ID"),
        ("id,article_id,language,body", "id,question_id,language,question,article,answer_id"),
    ],
    ids=["as documented", "as a spreadsheet names them", "with other columns beside them"],
)
def test_columns_are_found_by_the_names_that_tables_have(articles: str, questions: str, tmp_path: Path) -> None:
    values = {"id": "a1", "article_id": "x7", "language": "th", "title": "ก", "body": "ข", "Article ID": "a1"}
    asked = {"id": "q1", "question_id": "y8", "language": "th", "question": "ค", "article": "Title 1"}
    asked |= {"Question ID": "q1", "article_id": "a1", "answer_id": "a1", "Article ID": "a1"}

    def row(header: str, of: dict[str, str]) -> str:
        return ",".join(of.get(name, of.get(name.lower(), "")) for name in header.split(","))

    (tmp_path / "articles.csv").write_text(f"{articles}\n{row(articles, values)}\n", "utf-8")
    (tmp_path / "questions.csv").write_text(f"{questions}\n{row(questions, asked)}\n", "utf-8")
    read = from_tables.read(tmp_path)
    assert list(read.articles) == [("a1", "th")]
    assert read.answers == {"q1": ["a1"]}


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "articles.csv").write_text("article id,article_id,language,body\na1,b1,th,ก\n", "utf-8")
    with pytest.raises(UserError, match=r"articles\.csv has two columns article_id: remove or rename one"):
        from_tables.read(tmp_path)
