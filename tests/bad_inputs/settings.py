"""Settings of a trial with values of the wrong kind or out of range, and with keys that are nearly right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.space import fields
from tests.bad_inputs.case import DRY_RUN, FACTBOOK, SPACE, TRIAL, BadInput, files, written

TEXT, LIST, MAPPING = "สูง", [1], {"ก": 1}
NUMBERS = (
    *("max_query_tokens", "max_passage_tokens", "lora.rank", "lora.alpha", "lora.dropout", "alpha", "batch_size"),
    *("hard_negatives", "negative_margin", "temperature", "temperature_learning_rate", "alignment_weight", "steps"),
    *("learning_rate", "weight_decay", "warmup", "max_grad_norm", "micro_batch_tokens", "seed", "validation.every"),
    *("validation.patience", "windows.tokens", "windows.stride", "resources.workers", "resources.cpus_per_worker"),
    "resources.gpus_per_worker",
)
FLAGS = ("mask_false_negatives", "gradient_caching", "gradient_checkpointing", "compile", "top_lists")
TEXTS = (
    *("backbone", "pooling", "query_prefix", "passage_prefix", "mixing", "learning_rate_schedule", "precision"),
    *("validation.metric", "validation.benchmark.name", "validation.benchmark.label"),
)
SECTIONS = ("lora", "windows", "validation", "resources")
NAMED = ("corpora", "benchmarks", "validation.benchmark", "centring", "lora.targets", "validation.benchmark.options")
assert {*NUMBERS, *FLAGS, *TEXTS, *SECTIONS, *NAMED} == fields.NAMES, "a setting without bad values"
WRONG: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (NUMBERS, {"a text": TEXT, "below its range": -1, "true": True}),
    (FLAGS, {"a text": TEXT, "a number": 3, "null": None}),
    (TEXTS, {"a number": 3, "a list": LIST, "a mapping": MAPPING}),
    (SECTIONS, {"a text": TEXT, "a list": LIST, "a mapping of something else": MAPPING}),
    (NAMED, {"a number": 3, "a list of numbers": LIST, "true": True}),
)
RANGES: dict[str, list[Any]] = {
    "alpha": [1.5, {"start": 0, "ends": 1}, {"start": 0}, {"start": 0, "end": 2}, {"start": "ก", "end": 1}, "1e400"],
    "temperature": [0, 1e400, {"start": 0.1, "end": 0}, {"start": 0, "end": 1, "shape": "sine"}],
    "temperature_learning_rate": [0, 2],
    "backbone": [
        "",
        " ",
        "builtin/xlmr",
        "/usr",
        "/etc/passwd",
        "../x",
        "~",
        "a/b/c",
        "owner/name@",
        "ก/ข",
        "https://x/y",
    ],
    "pooling": ["max", "MEAN", "", "ค่าเฉลี่ย"],
    "precision": ["fp16", "BF16", ""],
    "mixing": ["pairs", "ผสม"],
    "learning_rate": [0, 2, "3e-5x", 1e400],
    "weight_decay": ["inf", "nan", 1e400],
    "max_grad_norm": [0, "inf"],
    "alignment_weight": ["inf", 1e400],
    "warmup": [1.1],
    "steps": [2.5, 1e12, 1e20, 10**40, "4 000"],
    "seed": [2**63, 10**40, 0.5],
    "batch_size": [1, 10**6, 10**40, 9.5],
    "hard_negatives": [3, 10**40],
    "max_query_tokens": [3, 0],
    "lora": [
        {"rank": 0},
        {"rank": 10**12},
        {"alpha": 10**400},
        {"dropout": 1},
        {"targets": []},
        {"targets": "query"},
        {"r": 8},
        {"targets": ["nonsense"]},
        {"targets": ["query", 3]},
        {"targets": [""]},
    ],
    "windows": [{"tokens": 512}, {"tokens": 8, "stride": 9}, {"stride": 0}, {"tokens": 10**40}],
    "centring": ["bth", ["both", "both"], {"sides": "both", "texts": 1}, {"source": "corpus"}, [[]], {"texts": 10**40}],
    "resources": [{"workers": 3}, {"workers": 0}, {"gpus_per_worker": 1.5}, {"workers": 2, "gpus_per_worker": 0.5}],
    "validation": [
        *({"every": 500}, {"every": 0}, {"metric": "map"}, {"metric": "multilingual/mapp"}, {"patience": 0}),
        *({"benchmark": FACTBOOK}, {"benchmark": {"name": "factbook", "split": "dev", "label": "dev"}}),
        *({"benchmark": {"name": "held_out"}}, {"benchmark": {"name": "held_out", "corpus": {"name": "factbook"}}}),
        {"benchmark": {"name": "held_out", "corpus": {"name": "factbook", "held_out": "สอง"}}},
        {"benchmark": {"name": "held_out", "corpus": {"name": "factbook", "held_out": 10**9}}},
        {"benchmark": {"name": "held_out", "corpus": {"name": ["factbook"], "held_out": 2}}},
        {"benchmark": {"name": "held_out", "corpus": "factbook"}},
    ],
    "corpora": [
        *([], ["factbok"], ["หนังสือ"], [""], [None], [{}], [["factbook"]], "factbook", {"name": "factbook"}),
        *(["factbook", {"name": "factbook", "weight": 2}], [{"name": "factbook", "weight": 0}]),
        *([{"name": "factbook", "weight": 1e400}], [{"name": "factbook", "held_out": -1}]),
        *([{"name": "factbook", "held_out": 10**12}], [{"name": "factbook", "held_out": 10**40}]),
        *([{"name": "factbook", "languages": []}], [{"name": "factbook", "languages": "th"}]),
        *([{"name": "factbook", "languages": ["xx"]}], [{"name": "factbook", "languages": [None]}]),
        *([{"name": "factbook", "languages": ["ไทย", "中文"]}], [{"name": "factbook", "options": {"splt": "train"}}]),
        *([{"name": "factbook", "options": 3}], [{"name": "factbook", "ภาษา": ["th"]}], [{"name": "../corpora"}]),
        *([{"name": "__init__"}], [{"name": "os"}], [{"name": "factbook.load"}], [{"name": "parallel_jsonl"}]),
        *([{"name": "parallel_jsonl", "path": "nowhere.jsonl"}], [{"name": "parallel_jsonl", "path": "."}]),
        *([{"name": "parallel_jsonl", "path": 3}], [{"name": "parallel_jsonl", "path": ["a", "b"]}]),
        *([{"name": "parallel_jsonl", "path": ""}], [{"name": "parallel_jsonl", "path": "a\0b"}]),
        *([{"name": "parallel_jsonl", "path": "s3://bucket/train.jsonl"}], [{"name": "dataset", "path": "/dev/null"}]),
    ],
    "benchmarks": [
        *([], ["factbok"], [{"name": "factbook", "languages": []}], [{"name": "factbook", "splt": "test"}]),
        *([{"name": "factbook", "split": "dev"}, "factbook"], [{"name": "local"}], [{"name": "local", "path": "ไม่มี"}]),
        *([{"name": "local", "label": "xquad_r", "path": "."}], [{"name": "factbook", "label": "a/b"}]),
        *([{"name": "factbook", "label": "validation"}], [{"name": "factbook", "label": "ไทย"}]),
        *([{"name": "factbook", "split": "ทดสอบ"}], [{"name": "mteb"}], [{"name": "mteb", "repository": "a/b"}]),
        *([{"name": "mteb", "repository": "a/b", "revision": "main"}], [{"name": "xquad_r", "path": "/dev/null"}]),
        *([{"name": "xquad_r", "path": ".", "context": "word"}], [{"name": "local", "path": ".", "settings": ["x"]}]),
        [{"name": "local", "path": ".", "missing": "ignore"}],
    ],
}


def inputs() -> Iterator[BadInput]:
    """Yield search spaces with one wrong setting each."""
    for names, values in WRONG:
        for name in names:
            for kind, value in values.items():
                yield _setting("kind of value", f"{name}: {kind}", name, value)
    for name, several in RANGES.items():
        for number, value in enumerate(several):
            yield _setting("range", f"{name} {number}: {str(value)[:40]}", name, value)
    for name in sorted(fields.NAMES):
        *above, last = name.split(".")
        yield _setting("near key", name, ".".join([*above, f"{last[:-2]}{last[-1]}"]), 1)
    for key in (
        "\u0430lpha",
        "Alpha",
        "alpha ",
        "alpha\u200b",
        "\uff41lpha",
        "al-pha",
        "alpha\u0301",
        "ألفا",
        "อัลฟา",
        "阿尔法",
    ):
        yield _setting("key in another script", ascii(key), key, 0.5)


def _setting(family: str, name: str, key: str, value: Any) -> BadInput:
    trial: dict[str, Any] = {"validation": {}} if key.startswith("validation") else {}
    return BadInput(family, name, DRY_RUN, files({SPACE: written(fields.merge(TRIAL | trial, {key: value}))}))
