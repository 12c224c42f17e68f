"""XQuAD-R measured by brute force, sharing no code with the project: what `study.evaluate` has to agree with.

    python results/xquad_r_brute_force.py MODEL DATA [RESULT.json]     (about eight minutes on two cores)

Texts by sentence-transformers in fp32, protocol read anew from LAReQA's files, positions by a full argsort. With a
result of `study.evaluate` it prints both figures and the largest difference over all settings, languages and pairs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
Array = npt.NDArray[np.float32]


def read(folder: Path) -> Iterator[tuple[str, list[str], list[tuple[str, str, int]]]]:
    """Yield each language, its candidate sentences, and its questions as (id, text, row of the answering sentence)."""
    for language in LANGUAGES:
        sentences: list[str] = []
        questions: list[tuple[str, str, int]] = []
        for article in json.loads((folder / f"{language}.json").read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                context, breaks = paragraph["context"], paragraph["sentence_breaks"]
                for question in paragraph["qas"]:
                    start = question["answers"][0]["answer_start"]
                    (row,) = [i for i, (low, high) in enumerate(breaks) if low <= start < high]
                    questions.append((question["id"], question["question"], len(sentences) + row))
                sentences += [context[low:high] for low, high in breaks]
        yield language, sentences, questions


def average_precision(position_R: list[int]) -> float:
    """Return the mean of the precisions at the relevant positions."""
    return float(np.mean([(n + 1) / position for n, position in enumerate(sorted(position_R))]))


def ndcg(position_R: list[int]) -> float:
    """Return nDCG@10 with gains of 1."""
    found = sum(1 / np.log2(1 + position) for position in position_R if position <= 10)
    return float(found / sum(1 / np.log2(2 + n) for n in range(min(10, len(position_R)))))


def positions(query_D: Array, passage_ND: Array) -> npt.NDArray[np.int64]:
    """Return the position of every passage in a query's full ranking."""
    order = np.argsort(-(passage_ND @ query_D), kind="stable")
    position_N = np.empty(len(order), dtype=np.int64)
    position_N[order] = np.arange(1, len(order) + 1)
    return position_N


def main() -> None:
    """Measure, and print beside a result where one is given."""
    model, folder = SentenceTransformer(sys.argv[1], device="cpu"), Path(sys.argv[2])
    held = {language: (sentences, questions) for language, sentences, questions in read(folder)}

    def embed(texts: list[str], prompt: str) -> Array:
        return np.asarray(model.encode(texts, prompt=prompt, normalize_embeddings=True, batch_size=16), np.float32)

    passage_ND = np.concatenate([embed(sentences, "passage: ") for sentences, _ in held.values()])
    first = dict(zip(LANGUAGES, np.cumsum([0, *(len(sentences) for sentences, _ in held.values())]), strict=False))
    answers: dict[str, dict[str, int]] = {la: {i: row for i, _, row in held[la][1]} for la in LANGUAGES}
    print(f"{len(passage_ND):,} candidates, {sum(len(questions) for _, questions in held.values()):,} questions")

    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    pooled: dict[str, list[tuple[float, float, int]]] = {}
    for asked in LANGUAGES:
        questions = held[asked][1]
        for (number, _, _), query_D in zip(
            questions, embed([text for _, text, _ in questions], "query: "), strict=True
        ):
            for language in LANGUAGES:
                pool = passage_ND[first[language] : first[language] + len(held[language][0])]
                position = [int(positions(query_D, pool)[answers[language][number]])]
                pairs.setdefault((asked, language), []).append((average_precision(position), ndcg(position)))
            union = positions(query_D, passage_ND)
            relevant = [int(union[first[language] + answers[language][number]]) for language in LANGUAGES]
            spread = max(relevant) - min(relevant)
            pooled.setdefault(asked, []).append((average_precision(relevant), ndcg(relevant), spread))

    figures: dict[str, float] = {}
    for name, chosen in {
        "monolingual": [values for (asked, language), values in pairs.items() if asked == language],
        "crosslingual": [values for (asked, language), values in pairs.items() if asked != language],
        "multilingual": [[value[:2] for value in values] for values in pooled.values()],
    }.items():
        precision, gain = np.mean([np.mean(np.array(values), axis=0) for values in chosen], axis=0)
        figures |= {f"xquad_r/{name}/map": float(precision), f"xquad_r/{name}/ndcg@10": float(gain)}
    figures["xquad_r/multilingual/rank_distance"] = float(
        np.mean([np.mean([value[2] for value in values]) for values in pooled.values()])
    )
    ours = json.loads(Path(sys.argv[3]).read_text("utf-8")) if len(sys.argv) > 3 else {"metrics": {}}
    for key, value in figures.items():
        beside = ours["metrics"].get(key)
        print(f"{key:36} {value:12.5f}", "" if beside is None else f"{beside:12.5f}  difference {beside - value:+.5f}")
    if ours["metrics"]:
        held_pairs = ours["benchmarks"]["xquad_r"]["by_pair"]
        gaps = [
            abs(held_pairs[f"{asked}-{language}"]["map"] - float(np.mean([value[0] for value in values])))
            for (asked, language), values in pairs.items()
            if asked != language
        ]
        print(f"largest difference over {len(gaps)} ordered pairs, mAP: {max(gaps):.5f}")


if __name__ == "__main__":
    main()
