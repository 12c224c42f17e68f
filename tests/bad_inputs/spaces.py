"""Search spaces that are no search space: files of every kind, and documents with wrong keys, ranges and names."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bad_inputs.case import DRY_RUN, SEARCH, SPACE, TRIAL, BadInput, Templates, dumped, files, written

GOOD = written()
BILLION = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
FILES: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n\n\t\n",
    "comments alone": b"# trial:\n# search:\n",
    "null": b"null\n",
    "a number": b"42\n",
    "a sentence": "ภาษาไทยไม่มีช่องว่าง\n".encode(),
    "a list": b"- trial\n- search\n",
    "a set": b"!!set {trial, search}\n",
    "two documents": f"{GOOD}---\n{GOOD}".encode(),
    "NUL bytes": GOOD.encode().replace(b"steps", b"st\0ps"),
    "NUL bytes alone": bytes(4096),
    "a control character": GOOD.encode().replace(b"grid", b"gr\x07id"),
    "an escape sequence": GOOD.encode().replace(b"grid", b"\x1b[31mgrid"),
    "a byte order mark inside": GOOD.encode().replace(b"trial", "\ufefftrial".encode(), 1) + "\ufeff: 1\n".encode(),
    "UTF-16": GOOD.encode("utf-16-le"),
    "UTF-16 with another text": "serch: {}\n".encode("utf-16"),
    "UTF-32": GOOD.encode("utf-32"),
    "Latin-1": "# für\ntrial: {}\n".encode("latin-1"),
    "Shift JIS": "# 検索\ntrial: {}\n".encode("shift_jis"),
    "GB 18030": "# 搜索\ntrial: {}\n".encode("gb18030"),
    "TIS-620": "# ค้นหา\ntrial: {}\n".encode("tis_620"),
    "a cut character": GOOD.encode() + "# ไทย".encode()[:-1],
    "a surrogate": b"trial: {query_prefix: \xed\xa0\x80}\n",
    "compressed": gzip.compress(GOOD.encode(), mtime=0),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "a program": b"#!/bin/sh\nexec python -m study.run\n",
    "a page of a web site": b"<!DOCTYPE html>\n<html><body>404: Not Found</body></html>\n",
    "JSON of something else": b'{"model_type": "xlm-roberta"}\n',
    "JSON that is cut": b'{"trial": {"steps": 4',
    "TOML": b'[trial]\nsteps = 4\n[search]\nsampler = "grid"\n',
    "CSV": b"setting,value\nsteps,4\n",
    "a git conflict": f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> other\n".encode(),
    "tabs": GOOD.replace("  ", "\t").encode(),
    "an open quote": GOOD.encode() + b"storage: 'sqlite\n",
    "an open bracket": GOOD.encode() + b"loggers: [wandb\n",
    "a wrong indent": b"trial:\n    steps: 4\n  batch_size: 8\n",
    "a colon in a value": b"trial: {query_prefix: query: }\nsearch: {sampler: grid}\n",
    "a key twice": GOOD.encode() + GOOD.encode(),
    "a key twice inside": b"trial:\n  steps: 4\n  steps: 5\n",
    "an unknown alias": b"trial: *missing\n",
    "an anchor twice": b"a: &a 1\nb: &a 2\ntrial: {steps: *a}\n",
    "an alias within itself": b"trial: &a {lora: *a}\nsearch: {sampler: grid}\n",
    "a merge of a number": b"trial: {<<: 3}\nsearch: {sampler: grid}\n",
    "a billion aliases": BILLION.encode(),
    "a billion aliases in a value": f"{BILLION}trial: {{corpora: *a39}}\nsearch: {{sampler: grid}}\n".encode(),
    "3,000 brackets": b"[" * 3000,
    "3,000 braces": b"{a: " * 3000,
    "100,000 dashes": b"- " * 100_000,
    "1,500 levels that close": b"trial: " + b"[" * 1500 + b"]" * 1500 + b"\n",
    "200 levels of an unknown key": b"trial: " + b"{a: " * 200 + b"1" + b"}" * 200 + b"\n",
    "a key of a megabyte": b"a" * 10**6 + b": 1\n",
    "a value of a megabyte": GOOD.encode() + b"concurrent: " + b"x" * 10**6 + b"\n",
    "50,000 keys": b"".join(b"key%d: 1\n" % n for n in range(50_000)),
    "a list as key": b"? [a, b]\n: 1\n",
    "a mapping as key": b"? {a: b}\n: 1\n",
    "null as key": b"null: 1\nsearch: {sampler: grid}\n",
    "a number as key": b"trial: {3: 4}\nsearch: {sampler: grid}\n",
    "a boolean as key": b"trial: {true: 4}\nsearch: {sampler: grid}\n",
    "a number as key of a section": b"trial: {validation: {3: 4}}\nsearch: {sampler: grid}\n",
    "a number as searched key": b"search: {sampler: grid, space: {3: {type: int, low: 0, high: 1}}}\n",
    "null as searched key": b"search: {sampler: grid, space: {null: {type: int, low: 0, high: 1}}}\n",
    "a Python object": b"trial: !!python/object/apply:os.system [true]\n",
    "a Python name": b"trial: {backbone: !!python/name:os.system }\n",
    "an unknown tag": b"trial: !mine {steps: 4}\n",
    "bytes": b"trial: {backbone: !!binary aGVsbG8=}\nsearch: {sampler: grid}\n",
    "bytes that are not base 64": b"trial: {backbone: !!binary '%%%'}\nsearch: {sampler: grid}\n",
    "a tag that does not fit": b"trial: {steps: !!int four}\nsearch: {sampler: grid}\n",
    "a float's tag on a text": b"trial: {alpha: !!float high}\nsearch: {sampler: grid}\n",
    "a date's tag on a text": b"trial: {backbone: !!timestamp yesterday}\nsearch: {sampler: grid}\n",
    "an integer of 5,000 digits": b"trial: {steps: " + b"9" * 5000 + b"}\nsearch: {sampler: grid}\n",
    "an integer of 400 digits": b"trial: {steps: " + b"9" * 400 + b"}\nsearch: {sampler: grid}\n",
    "1e400": b"trial: {weight_decay: 1e400}\nsearch: {sampler: grid}\n",
    "a number in base 60": b"trial: {steps: 1:30}\nsearch: {sampler: grid}\n",
    "a number in hexadecimal": b"trial: {steps: 0x1F}\nsearch: {sampler: grid}\n",
    "a directive of YAML 9": b"%YAML 9.9\n---\ntrial: {}\n",
}
KEYS: dict[str, dict[str, Any]] = {
    "trail": {"trail": {}},
    "Trial": {"Trial": {}},
    "objectives": {"objectives": "validation/loss"},
    "search twice, once in Cyrillic": {"sеarch": SEARCH},
    "a key in Thai": {"การค้นหา": {}},
    "a key in Arabic": {"بحث": {}},
    "a key with a zero width space": {"storage\u200b": "sqlite:///x"},
    "a key with an override of direction": {"\u202estorage": "sqlite:///x"},
    "a full-width key": {"\uff53\uff54\uff4f\uff52\uff41\uff47\uff45": "sqlite:///x"},
    "trial as a list": {"trial": [TRIAL]},
    "trial as a number": {"trial": 3},
    "search as a text": {"search": "grid"},
    "search as null": {"search": None},
    "storage as a number": {"storage": 3},
    "storage of an unknown kind": {"storage": "mongodb://host/studies"},
    "storage without a kind": {"storage": "//host/studies"},
    "storage that is no URL": {"storage": "กลุ่ม"},
    "storage of an unknown driver": {"storage": "postgresql+nothing://host/studies"},
    "storage with a port that is no number": {"storage": "postgresql://host:port/studies"},
    "storage that is empty": {"storage": ""},
    "concurrent 0": {"concurrent": 0},
    "concurrent true": {"concurrent": True},
    "concurrent 1.5": {"concurrent": 1.5},
    "loggers as a text": {"loggers": "wandb"},
    "an unknown logger": {"loggers": ["wandbb"]},
    "a logger that is not installed, twice": {"loggers": ["mlflow", "mlflow"]},
}
OBJECTIVES: dict[str, Any] = {
    "of a reported benchmark": "factbook/multilingual/map",
    "of an unknown metric": "validation/multilingual/mpa",
    "of an unknown setting": "validation/multilingul/map",
    "without a setting": "validation/map",
    "in a setting that lacks it": "validation/monolingual/rank_distance",
    "that needs a search": "validation/multilingual/mrc@10",
    "in Thai": "การตรวจสอบ/ความแม่นยำ",
    "as a number": 3,
    "as null": None,
    "as an empty list": [],
    "as nested lists": [["validation/loss"]],
    "twice": ["validation/loss", "validation/loss"],
    "in an unknown direction": {"metric": "validation/loss", "direction": "down"},
    "with an unknown key": {"metric": "validation/loss", "weight": 2},
    "without a metric": {"direction": "minimize"},
    "with a list as metric": {"metric": ["validation/loss"]},
    "empty": "",
    "with a slash too many": "validation/multilingual/map/",
}
SCHEDULERS: dict[str, Any] = {
    "unknown": "ashaa",
    "in another case": "ASHA",
    "that changes settings": "pbt",
    "as a number": 3,
    "as a list": ["asha"],
    "as null": None,
    "without steps": "asha",
    "with an unknown key": {"name": "asha", "min_step": 1},
    "with steps above those of a trial": {"name": "asha", "min_steps": 400},
    "with a factor of 1": {"name": "asha", "min_steps": 1, "reduction_factor": 1},
    "with steps as a text": {"name": "median", "min_steps": "สอง"},
    "with steps below 0": {"name": "median", "min_steps": -1},
    "with limits in the wrong order": {"name": "hyperband", "min_steps": 3, "max_steps": 2},
    "with limits above a trial": {"name": "hyperband", "min_steps": 1, "max_steps": 10**30},
    "with true as steps": {"name": "asha", "min_steps": True},
    "with a factor of 1e30": {"name": "asha", "min_steps": 1, "reduction_factor": 1e30},
}
ELSEWHERE = ("doctor", SPACE)


def inputs() -> Iterator[BadInput]:
    """Yield search spaces as files, by their top-level keys, objectives and schedulers."""
    for name, content in FILES.items():
        yield BadInput("file", name, DRY_RUN, files({SPACE: content}))
    for name in ("empty", "NUL bytes", "UTF-16", "a billion aliases", "3,000 brackets", "an unknown tag"):
        yield BadInput("file for the doctor", name, ELSEWHERE, files({SPACE: FILES[name]}))
    for name, keys in KEYS.items():
        changed = {"trial": TRIAL, "search": SEARCH} | keys
        yield BadInput("top-level key", name, DRY_RUN, files({SPACE: dumped(changed)}))
    for name, objective in OBJECTIVES.items():
        yield BadInput("objective", name, DRY_RUN, files({SPACE: written(objective=objective)}))
    for name, scheduler in SCHEDULERS.items():
        yield BadInput("scheduler", name, DRY_RUN, files({SPACE: written(scheduler=scheduler)}))
    both = files({SPACE: written(objective=["validation/loss", "validation/multilingual/map"], scheduler="median")})
    yield BadInput("scheduler", "for two objectives", DRY_RUN, both)
    yield from _places()


def _places() -> Iterator[BadInput]:
    """Yield what is no file."""

    def linked(target: str) -> Any:
        return lambda folder, _: (folder / SPACE).symlink_to(target)

    def forbidden(folder: Path, templates: Templates) -> None:
        files({SPACE: GOOD})(folder, templates)
        (folder / SPACE).chmod(0)

    yield BadInput("place", "a folder", DRY_RUN, lambda folder, _: (folder / SPACE).mkdir())
    yield BadInput("place", "a link to nothing", DRY_RUN, linked("nothing.yaml"))
    yield BadInput("place", "a link to itself", DRY_RUN, linked(SPACE))
    yield BadInput("place", "a file that may not be read", DRY_RUN, forbidden, permission=True)
    for name in ("/dev/null", "/dev/zero", "/proc/self/mem", "~nobody-of-this-name/space.yaml", "missing.yaml", "."):
        yield BadInput("place", name, ("run", name, "--dry-run"))
    for name in ("quikstart", "การทดลอง", "تجربة", "实验", "", "  ", "x" * 300, "quickstart.yml", "a\nb", "\u202eelif"):
        yield BadInput("place", f"the name {name[:20]!r}", ("run", name, "--dry-run"))
        yield BadInput("place", f"the name {name[:20]!r} for the doctor", ("doctor", name))
    yield BadInput("place", "below a file", ("run", f"{SPACE}/x.yaml", "--dry-run"), files({SPACE: GOOD}))
