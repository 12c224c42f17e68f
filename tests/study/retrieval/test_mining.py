"""Hard negatives against a plain loop over every query and passage; over processes; and as a corpus that trains."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.config import TrialConfig
from study.distributed import rank
from study.retrieval.candidates import MiningError
from study.retrieval.encode import Encoding, Kind, encode
from study.retrieval.mined_file import Summary, claimed, write
from study.retrieval.mining import Miner, Rule
from study.training.batch import BatchMaker
from study.training.sampler import HybridSampler
from tasks.corpora import parallel_jsonl
from tasks.schema import Corpus
from tests.hashing_encoder import HashingEncoder
from tests.process_group import RunInGroup
from tests.toy_encoder import toy_encoder

WORDS = {
    "th": ["แม่น้ำ", "ภูเขา", "เมือง", "ทะเล", "บ้าน", "ปี", "ถนน", "คืน"],
    "zh": ["河", "山", "城", "海", "家", "年", "路", "夜"],
}
ENCODING = Encoding(token_budget=4096, block_size=7)
RULE = Rule(negatives=3, depth=40, share=0.97)


def rows(count: int) -> list[dict[str, Any]]:
    """Make rows of which some lack a language, some share a query, and some share a passage."""
    rng = np.random.default_rng(0)
    topics = rng.integers(0, 8, (count, 4))
    made = []
    for row in range(count):
        passage = topics[row - 1] if row % 5 == 1 else topics[row]
        query = passage[:3] if row % 7 else topics[0][:3]
        made.append(
            {
                language: {
                    "query": " ".join(words[i] for i in query) + f" {row if row % 7 else 0}",
                    "passage": " ".join(words[i] for i in passage) + f" {row - (row % 5 == 1)}",
                }
                for language, words in WORDS.items()
                if language == "th" or row % 4
            }
        )
    return made


def corpus_of(file: Path, made: list[dict[str, Any]]) -> Corpus:
    file.write_text("".join(json.dumps({"pairs": pairs}) + "\n" for pairs in made), encoding="utf-8")
    return parallel_jsonl.load(path=file)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    return corpus_of(tmp_path / "train.jsonl", rows(40))


def texts(version: dict[str, Any]) -> list[str]:
    """Return the negatives of a version without their languages."""
    return [negative if isinstance(negative, str) else negative["text"] for negative in version["negatives"]]


def mined(corpus: Corpus, rule: Rule, file: Path) -> tuple[list[dict[str, Any]], Summary]:
    miner = Miner(HashingEncoder(), corpus, rule, ENCODING)
    miner.prepare(file.parent)
    with claimed(file) as out:
        summary = write(miner, corpus, out)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()], summary


def plainly(made: list[dict[str, Any]], row: int, language: str, rule: Rule) -> list[str]:
    """Return every passage that may be a negative, hardest first."""
    pair = made[row][language]
    answers = {
        text["passage"]
        for other in made
        if any(other[la]["query"] == made[row][la]["query"] for la in other.keys() & made[row].keys())
        for text in other.values()
    }
    pools = WORDS if rule.multilingual else [language]
    passages = list(dict.fromkeys(other[la]["passage"] for la in pools for other in made if la in other))
    encoder = HashingEncoder()
    query_1D = encode(encoder, [pair["query"]], "query", 4096)
    scores = (encode(encoder, [pair["passage"], *passages], "passage", 4096) @ query_1D.T).squeeze(1).tolist()
    kept = [
        (score, text)
        for score, text in zip(scores[1:], passages, strict=True)
        if text not in answers and score <= rule.share * scores[0]
    ]
    return [text for _, text in sorted(kept, key=lambda one: -one[0])]


@pytest.mark.parametrize("multilingual", [False, True])
def test_negatives_are_the_best_passages_that_do_not_answer_and_do_not_score_too_high(
    corpus: Corpus, tmp_path: Path, multilingual: bool
) -> None:
    rule, made = replace(RULE, multilingual=multilingual), rows(40)
    lines, summary = mined(corpus, rule, tmp_path / "out.jsonl")
    assert [int(line["id"]) for line in lines] == list(range(40))
    compared = 0
    for row, line in enumerate(lines):
        assert line["pairs"].keys() == made[row].keys()
        for language, version in line["pairs"].items():
            assert (version["query"], version["passage"]) == tuple(made[row][language].values())
            expected = plainly(made, row, language, rule)
            held = min(len(expected), rule.negatives)
            assert texts(version)[:held] == expected[:held]
            assert len(set(texts(version))) == rule.negatives
            compared += held
    assert summary.too_close > 0
    assert compared == summary.negatives - summary.random


@pytest.mark.parametrize("share", [0.0, 0.6, 0.97])
def test_what_is_missing_is_drawn_from_passages_that_neither_answer_nor_score_too_high_as_long_as_there_are_such(
    corpus: Corpus, tmp_path: Path, share: float
) -> None:
    rule, made = replace(RULE, share=share, negatives=12, depth=14), rows(40)
    lines, summary = mined(corpus, rule, tmp_path / "out.jsonl")
    assert summary.random > 0
    above = 0
    for row, line in enumerate(lines):
        for language, version in line["pairs"].items():
            allowed = plainly(made, row, language, replace(rule, share=np.inf))
            assert set(version["negatives"]) <= set(allowed)
            assert len(set(version["negatives"])) == rule.negatives
            low = set(plainly(made, row, language, rule))
            assert len(low & set(version["negatives"])) == min(len(low), rule.negatives)
            above += max(0, rule.negatives - len(low))
    assert summary.above == above
    assert above > 0 or share > 0.9


def in_a_group(file: Path, folder: Path) -> bytes:
    corpus = parallel_jsonl.load(path=file)
    miner = Miner(HashingEncoder(), corpus, RULE, ENCODING)
    miner.prepare(folder)
    with claimed(folder / "out.jsonl") as out:
        write(miner, corpus, out)
    return (folder / "out.jsonl").read_bytes() if rank() == 0 else b""


def test_several_processes_write_what_one_does(run_in_group: RunInGroup, corpus: Corpus, tmp_path: Path) -> None:
    mined(corpus, RULE, tmp_path / "one.jsonl")
    (tmp_path / "group").mkdir()
    whole = run_in_group(2, in_a_group, tmp_path / "train.jsonl", tmp_path / "group")[0]
    assert whole == (tmp_path / "one.jsonl").read_bytes()


def test_the_file_is_a_corpus_that_trains_with_its_hard_negatives(corpus: Corpus, tmp_path: Path) -> None:
    mined(corpus, RULE, tmp_path / "out.jsonl")
    harder: Corpus = parallel_jsonl.load(path=tmp_path / "out.jsonl")
    assert harder.languages == corpus.languages
    assert len(harder) == len(corpus)
    config = TrialConfig(batch_size=4, steps=4, hard_negatives=3)
    batches = BatchMaker([harder], HybridSampler([harder], config), toy_encoder(), config)
    assert len(batches.make(0).order) == 4 + 4 * (1 + 3)


def test_a_mined_negative_is_none_for_the_query_of_the_batch_that_it_answers_in_another_language(
    corpus: Corpus, tmp_path: Path
) -> None:
    mined(corpus, RULE, tmp_path / "out.jsonl")
    harder: Corpus = parallel_jsonl.load(path=tmp_path / "out.jsonl")
    config = TrialConfig(batch_size=8, steps=20, hard_negatives=3, alpha=0)
    sampler = HybridSampler([harder], config)
    batches = BatchMaker([harder], sampler, toy_encoder(), config)
    in_other_languages = 0
    for step in range(config.steps):
        plan = sampler.batch(step)
        pairs = harder.pairs(plan.rows, plan.query_languages, plan.passage_languages)
        versions = [
            {harder.pairs(np.array([row]), [la], [la])[0].passage for la in harder.row_languages(int(row))}
            for row in plan.rows
        ]
        negatives = [text for pair in pairs for text in pair.negatives[:3]]
        masked = {tuple(pair) for pair in batches.make(step).false_negatives_P2.tolist()}
        for query, answers in enumerate(versions):
            for place, text in enumerate(negatives):
                assert (query, 8 + place) in masked or text not in answers
                in_other_languages += text in answers - {pairs[query].passage}
    assert in_other_languages > 0


def test_rows_that_repeat_a_query_and_its_passage_are_mined_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    made = [{"th": {"query": f"ถาม {row % 5}", "passage": f"ตอบ {row % 5}"}} for row in range(15)]
    lines, _ = mined(corpus_of(tmp_path / "train.jsonl", made), replace(RULE, negatives=2), tmp_path / "out.jsonl")
    assert [line["pairs"]["th"]["query"] for line in lines] == [f"ถาม {row}" for row in range(5)]


def test_no_version_of_an_answer_is_a_negative_however_rows_are_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    question, answer, other = "ถาม", "ตอบ แม่น้ำ", "ตอบ ภูเขา"
    connected = [
        {"th": {"query": question, "passage": answer}, "zh": {"query": "问", "passage": "答 河"}},
        {"zh": {"query": "问", "passage": "答 河"}},
        {"th": {"query": question, "passage": other}},
    ]
    fillers = [
        {"th": {"query": f"คำ {row}", "passage": f"ทะเล {row}"}, "zh": {"query": f"词 {row}", "passage": f"海 {row}"}}
        for row in range(8)
    ]
    rule = Rule(negatives=3, depth=40, share=np.inf, multilingual=True)
    lines, _ = mined(corpus_of(tmp_path / "train.jsonl", connected + fillers), rule, tmp_path / "out.jsonl")
    for line in lines[:3]:
        for version in line["pairs"].values():
            assert not {answer, other, "答 河"} & set(texts(version))


def test_passages_that_only_share_a_version_in_another_language_are_candidates_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Thai passage holds two Chinese ones, as in XQuAD-R: each row keeps its own, and others may get either.
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    made = [
        {"th": {"query": f"ถาม {row}", "passage": "แม่น้ำ"}, "zh": {"query": f"问 {row}", "passage": f"河 {row}"}}
        for row in range(2)
    ] + [{"zh": {"query": f"词 {row}", "passage": f"河 海 {row}"}} for row in range(3)]
    rule = Rule(negatives=3, depth=40, share=np.inf)
    made += [{"th": {"query": f"คำ {row}", "passage": f"ทะเล {row}"}} for row in range(4)]
    lines, _ = mined(corpus_of(tmp_path / "train.jsonl", made), rule, tmp_path / "out.jsonl")
    assert [line["pairs"]["zh"]["passage"] for line in lines[:2]] == ["河 0", "河 1"]
    negatives = [set(line["pairs"]["zh"]["negatives"]) for line in lines[2:5]]
    assert {"河 0", "河 1"} <= set().union(*negatives)


def test_a_corpus_with_too_few_passages_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    made = [{"th": {"query": f"ถาม {row}", "passage": f"ตอบ {row}"}} for row in range(3)]
    with pytest.raises(MiningError, match="too few passages in 'th' for 3 negatives"):
        mined(corpus_of(tmp_path / "train.jsonl", made), RULE, tmp_path / "out.jsonl")


def test_a_disk_without_room_for_the_embeddings_is_a_sentence_before_anything_is_encoded(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    encoder = HashingEncoder()
    with pytest.raises(
        MiningError, match=r"cannot take 0\.0 GB of embeddings \(No space left on device, .* GB are free"
    ):
        Miner(encoder, corpus, RULE, ENCODING).prepare(tmp_path)
    assert not encoder.embedded


def test_a_full_disk_is_a_sentence(corpus: Corpus, tmp_path: Path) -> None:
    miner = Miner(HashingEncoder(), corpus, RULE, ENCODING)
    miner.prepare(tmp_path)
    out = Path("/dev/full").open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closing it fails too
    with pytest.raises(MiningError, match=r"/dev/full cannot be written \(No space left on device\): make room"):
        write(miner, corpus, out)
    with contextlib.suppress(OSError):
        out.close()


@pytest.mark.parametrize("negatives", [2, 6])
def test_neither_another_spelling_of_an_answer_nor_of_a_negative_is_a_negative_whatever_its_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, negatives: int
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    made = [{"th": {"query": f"Siam {row}", "passage": f"Siam {row}"}} for row in range(8)]
    made += [{"zh": {"query": f"问 {row}", "passage": f"SIAM  {row}"}} for row in range(8)]
    # Of six random ones too, as so few passages are left after the depth of the search.
    rule = Rule(negatives=negatives, depth=4, share=np.inf, multilingual=True)
    lines, summary = mined(corpus_of(tmp_path / "train.jsonl", made), rule, tmp_path / "out.jsonl")
    assert (summary.random > 0) == (negatives == 6)
    for line in lines:
        for version in line["pairs"].values():
            answer, *found = (" ".join(text.casefold().split()) for text in (version["passage"], *texts(version)))
            assert answer not in found
            assert len(set(found)) == negatives


def test_no_answer_to_another_spelling_of_a_query_is_a_negative_in_any_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    spellings = [
        {"th": {"query": "รีเซ็ตรหัสผ่าน VPN อย่างไร", "passage": "แม่น้ำ"}, "zh": {"query": "重置？", "passage": "河"}},
        {"th": {"query": "รีเซ็ตรหัสผ่าน  vpn อย่างไร", "passage": "ภูเขา"}},
        {"zh": {"query": "重置?", "passage": "山"}},
    ]
    fillers = [{"th": {"query": f"คำ {row}", "passage": f"ทะเล {row}"}} for row in range(4)]
    rule = Rule(negatives=4, depth=40, share=np.inf, multilingual=True)
    lines, _ = mined(corpus_of(tmp_path / "train.jsonl", spellings + fillers), rule, tmp_path / "out.jsonl")
    for line in lines[:3]:
        for version in line["pairs"].values():
            assert set(texts(version)) == {f"ทะเล {row}" for row in range(4)}


class AngleEncoder(HashingEncoder):
    """Embeds a text as the angle, in degrees, that is its last word."""

    def __init__(self) -> None:
        super().__init__(width=2)

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        return [[int(text.split()[-1])] for text in texts]

    def embed(self, token_ids: Sequence[Sequence[int]]) -> torch.Tensor:
        angles = torch.deg2rad(torch.tensor(token_ids, dtype=torch.float32)).squeeze(1)
        return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_no_negative_scores_above_a_positive_whose_cosine_is_negative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    # The positive has the cosine -0.5: 0.95 of it would be -0.475, which is that of 118 degrees.
    passages = ("ตอบ 120", "ภูเขา 90", "ภูเขา 119", "ภูเขา 121", "ภูเขา 122", "ภูเขา 150", "ภูเขา 170")
    made = [{"th": {"query": f"{row} ถาม 0", "passage": text}} for row, text in enumerate(passages)]
    rule = Rule(negatives=2, depth=40, share=0.95)
    miner = Miner(AngleEncoder(), corpus_of(tmp_path / "train.jsonl", made), rule, ENCODING)
    miner.prepare(tmp_path)
    first = next(iter(miner.blocks()))[0]
    assert miner.candidates.texts(first.number_QN[0]) == ["ภูเขา 122", "ภูเขา 150"]


def test_a_query_that_nearly_all_passages_answer_is_refused_before_anything_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    made = [
        {"th": {"query": "ถาม" if row in {2, 4, 5, 6} else f"ถาม {row}", "passage": f"ตอบ {row}"}} for row in range(7)
    ]
    corpus = corpus_of(tmp_path / "train.jsonl", made)
    Miner(HashingEncoder(), corpus, replace(RULE, negatives=3), ENCODING)
    with pytest.raises(
        MiningError, match=r"in 'th' for 4 negatives a query: only 3 do not answer that of row '2'; ask"
    ):
        Miner(HashingEncoder(), corpus, replace(RULE, negatives=4), ENCODING)
