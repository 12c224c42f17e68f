"""Any table with a column of queries and one of passages: files of one's own, or a dataset of the Hugging Face hub.

Files and folders of files (JSON lines, CSV, TSV, Parquet; all but Parquet also as `.gz` or `.zst`), or what
`Dataset.save_to_disk` wrote. In one language, if the columns are of a published layout (`tasks.formats.pair_columns`):

    {name: dataset, path: train.jsonl, language: th}

With the columns named; with several languages in a row it is parallel:

    {name: dataset, path: pairs.parquet,
     columns: {th: {query: q_th, passage: p_th, negatives: [n_th]}, zh: {query: q_zh, passage: p_zh}}}

From the hub, at a commit, so that every machine trains on the same rows:

    {name: dataset, id: sentence-transformers/gooaq, revision: b089f728748a068b7bc5234e5bcf5b25e3c8279c,
     columns: {en: {query: question, passage: answer}}}

Each passage of a list is a row of its own. Texts lose the white space at their ends and are otherwise taken as they are
written: `NA`, `null` and `007` are texts. If a query or a passage is empty, the row lacks that language. Licence and
citation are those of the dataset. No code from a dataset is ever run.

Not run here: downloads from the hub; there was no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pydantic

from tasks.data.cache import cache_folder
from tasks.data.columns import COMPRESSED, Column, Record, Table, column_names, read_records
from tasks.data.languages import ByLanguage, Language
from tasks.formats.pair_columns import Columns, published_columns, published_names, rows_of
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.paths import user_path
from tasks.plugins import TaskError, nearest
from tasks.schema import Pair

_BATCH_ROWS = 2048
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_SPLITS = ("train", "training", "dev", "validation", "valid", "val", "test")


class _Source(NamedTuple):
    """A table that is not read yet."""

    where: str
    """Names it, for messages."""
    files: list[Path]
    names: list[str]
    """Its columns (`tasks.data.columns.column_names`)."""
    table: Any = None
    """As the library `datasets` opens it; None for files."""


def load(  # noqa: PLR0913 - one per option in a search space
    *,
    path: Path | None = None,
    id: str | None = None,  # noqa: A002 - the word for it in a search space
    revision: str | None = None,
    config: str | None = None,
    split: str = "train",
    language: Language | None = None,
    columns: Annotated[dict[str, Columns], ByLanguage, pydantic.Field(min_length=1)] | None = None,
) -> ParallelArrow:
    """Open the corpus; data that is new to this machine is downloaded and converted first.

    Args:
        path: a file, a folder of files or a saved dataset on this machine; or else
        id: of a dataset of the hub, `owner/name`, and
        revision: its commit.
        config: one of the dataset's configurations, if it has several.
        split: of a folder or dataset; for datasets also slices such as `train[:10%]`.
        language: of all texts, if the columns are of a published layout.
        columns: by language, the names of its columns.

    Raises:
        TaskError: options that do not go together, no such dataset, split or column, malformed data, or no row.
    """
    check(path=path, id=id, revision=revision, language=language, columns=columns)
    wanted = _names(columns) if columns else []
    if path is None:
        source = _hub_dataset(str(id), str(revision), config, split, text_columns=wanted or published_names())
    else:
        source = _on_this_machine(user_path(path), split)
    if columns is None:
        columns = {str(language): published_columns(source.names, source.where)}
        wanted = _names(columns)
    recipe = f"dataset 3 {split} {sorted((code, side.model_dump_json()) for code, side in columns.items())}"
    return converted("dataset", recipe, source.files, lambda: _rows(source, wanted, columns))


def check(
    *,
    path: object = None,
    id: object = None,  # noqa: A002 - as in `load`
    revision: object = None,
    language: object = None,
    columns: object = None,
    **_: object,
) -> None:
    """Refuse options of `load` that do not go together.

    Raises:
        TaskError: not one source, or not one way to name its columns.
    """
    if (path is None) == (id is None) or (id is None) != (revision is None):
        raise TaskError("corpus 'dataset' needs either 'path', or 'id' with the 'revision' (a commit) to train on")
    if (language is None) == (columns is None):
        raise TaskError("corpus 'dataset' needs either 'columns', or 'language' for data in a published layout")


def _names(columns: Mapping[str, Columns]) -> list[str]:
    return list(dict.fromkeys(name for side in columns.values() for name in side.names))


def _rows(source: _Source, wanted: Sequence[str], columns: Mapping[str, Columns]) -> Iterator[dict[str, Pair]]:
    missing = set(wanted)
    for record in _records(source, wanted):
        missing -= record.values.keys()
        yield from rows_of(record, columns)
    if missing:
        name = min(missing)
        raise TaskError(f"corpus 'dataset': {source.where} has no column '{name}': {nearest(name, source.names)}")


def _records(source: _Source, wanted: Sequence[str]) -> Iterator[Record]:
    if source.table is None:
        return chain.from_iterable(read_records(file, _table(wanted)) for file in source.files)
    return _dataset_records(source, [name for name in wanted if name in source.names])


def _table(wanted: Sequence[str]) -> Table:
    # JSON lines may lack a column that others have: whether it exists at all is known after the last.
    return Table("a dataset", {name: Column((name,), required=False) for name in wanted}, ())


def _dataset_records(source: _Source, present: Sequence[str]) -> Iterator[Record]:
    number = 0
    for batch in source.table.select_columns(present).iter(_BATCH_ROWS):
        for values in zip(*batch.values(), strict=True):
            number += 1
            yield Record(dict(zip(batch, values, strict=True)), f"{source.where}, row {number}")


def _on_this_machine(path: Path, split: str) -> _Source:
    if path.is_file():
        if not _is_data(path):
            known = nearest(path.suffix, _SUFFIXES)
            raise TaskError(f"corpus 'dataset', option 'path': {path} is of an unknown kind: {known}")
        return _files([path], str(path))
    if not path.is_dir():
        raise TaskError(f"corpus 'dataset', option 'path': there is no file or folder {path}")
    saved_splits, saved = (path / "dataset_dict.json").is_file(), (path / "state.json").is_file()
    if saved_splits or saved:
        return _opened(
            str(path), lambda d: d.load_from_disk(str(path))[split] if saved_splits else d.load_from_disk(path)
        )
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_data(file)]
    named = {file: _split_of(file.relative_to(path)) for file in files}
    chosen = [file for file, found in named.items() if found == split]
    if not any(named.values()) and split == "train":
        chosen = files
    if not chosen:
        raise TaskError(f"corpus 'dataset': {path} cannot be opened: no data file in it belongs to split '{split}'")
    return _files(chosen, str(path))


def _is_data(file: Path) -> bool:
    suffix = file.with_suffix("").suffix if file.suffix in COMPRESSED else file.suffix
    return suffix in _SUFFIXES and file.name not in {"dataset_info.json", "dataset_infos.json"}


def _split_of(file: Path) -> str | None:
    """Return the split that a path names, such as `train` in `data/train-00000-of-00002.parquet`."""
    words = re.split(r"[^a-z]+", str(file).lower())
    return next((word for word in words if word in _SPLITS), None)


def _files(files: list[Path], where: str) -> _Source:
    return _Source(where, files, column_names(files[0]))


def _hub_dataset(name: str, revision: str, config: str | None, split: str, text_columns: Sequence[str]) -> _Source:
    def read(datasets: Any) -> Any:
        options: dict[str, Any] = {"revision": revision, "cache_dir": str(cache_folder() / "datasets")}
        builder = datasets.load_dataset_builder(name, config, **options)
        if hasattr(builder.config, "na_filter"):  # CSV: pandas reads `NA` as missing and `007` as 7 unless told not to
            options |= {"na_filter": False, "converters": dict.fromkeys(text_columns, str)}
        return datasets.load_dataset(name, config, split=split, **options)

    return _opened(f"{name} at {revision}", read)


def _opened(where: str, read: Any) -> _Source:
    """Return what `read(datasets)` opens; an error becomes one sentence."""
    import datasets  # noqa: PLC0415 - takes seconds: only once the options are good

    datasets.disable_progress_bars()
    try:
        table = read(datasets)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise TaskError(f"corpus 'dataset': {where} cannot be opened: {str(error).splitlines()[0]}") from error
    return _Source(where, [Path(file["filename"]) for file in table.cache_files], table.column_names, table)
