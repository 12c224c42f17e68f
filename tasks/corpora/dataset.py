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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pydantic

from tasks.data.cache import cache_folder
from tasks.data.columns import (
    LANGUAGE,
    Column,
    Record,
    Table,
    column_names,
    read_records,
    refuse_other_language,
    suffix_of,
)
from tasks.data.languages import ByLanguage, Language, may_be_same_language, named_language
from tasks.formats.layouts import SPLIT_WORDS, visible_files
from tasks.formats.pair_columns import Columns, published_columns, published_names, rows_of
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.paths import user_path
from tasks.plugins import TaskError, nearest
from tasks.schema import Pair

_BATCH_ROWS = 2048
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_SAME_SPLIT = {"training": "train"}
_OWN_LANGUAGE = ""
"""Stands for the column `LANGUAGE` beside those that are chosen by name."""
_MAPPED = {"keep_in_memory": False}
"""For `datasets`, whatever HF_DATASETS_IN_MEMORY_MAX_SIZE says: a table in memory has no files to be told by."""
_DEPTH = 8
"""Levels of folders in which files are looked for: links may lead in circles."""


class _Part(NamedTuple):
    """A table that is not read yet."""

    where: str
    """Names it, for messages."""
    files: list[Path]
    names: list[str]
    """Its columns (`tasks.data.columns.column_names`)."""
    table: Any = None
    """As the library `datasets` opens it; None for a file."""

    def records(self, columns: Table) -> Iterator[Record]:
        """Yield its rows."""
        if self.table is None:
            yield from read_records(self.files[0], columns)
            return
        chosen = columns.chosen(self.names, self.where)
        number = 0
        for batch in self.table.select_columns(list(chosen.values())).iter(_BATCH_ROWS):
            for values in zip(*(batch[name] for name in chosen.values()), strict=True):
                number += 1
                yield Record(dict(zip(chosen, values, strict=True)), f"{self.where}, row {number}")


class _Source(NamedTuple):
    """What a corpus is made of."""

    where: str
    parts: list[_Part]
    unclear: Sequence[Path] = ()
    """Files beside these, of which the name tells no split."""

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [file for part in self.parts for file in part.files]

    @property
    def names(self) -> list[str]:
        """All columns."""
        return list(dict.fromkeys(name for part in self.parts for name in part.names))


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
        TaskError: options that do not go together, no such dataset or split, a file that lacks a column, malformed
            data, rows or paths of files that say that they are in another language, or no row.
    """
    check(path=path, id=id, revision=revision, language=language, columns=columns)
    if path is None:
        texts = _names(columns) if columns else published_names()
        source = _hub_dataset(str(id), str(revision), config, split, text_columns=texts)
    else:
        source = _on_this_machine(user_path(path), split)
    if columns is None:
        columns = {str(language): published_columns(source.names, source.where)}
    _refuse_unclear(source, columns.values())
    recipe = f"dataset 4 {split} {sorted((code, side.model_dump_json()) for code, side in columns.items())}"
    return converted("dataset", recipe, source.files, lambda: _rows(source, columns))


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


def _rows(source: _Source, columns: Mapping[str, Columns]) -> Iterator[dict[str, Pair]]:
    table, language = _table(columns), next(iter(columns))
    if len(columns) == 1:
        _refuse_files_of_others(source, language)
    missing = set(_names(columns))
    for part in source.parts:
        found, has_rows = set[str](), False
        for record in part.records(table):
            found |= record.values.keys()
            has_rows = True
            refuse_other_language(record.values.get(_OWN_LANGUAGE), language, record.where)
            yield from rows_of(record, columns)
        if has_rows:
            _refuse_lacking(part, found, columns.values(), is_only=len(source.parts) == 1)
        missing -= found
    if missing:
        raise _no_column(min(missing), source.where, source.names)


def _refuse_unclear(source: _Source, columns: Collection[Columns]) -> None:
    """Refuse pairs in a file that is not read, since its name tells no split."""
    for file in source.unclear:
        try:
            names = set(column_names(file))
        except TaskError:  # settings, such as `config.json`
            continue
        if any({side.query, side.passage} <= names for side in columns):
            raise TaskError(
                f"corpus 'dataset': the name of {file} tells no split, and it would not be read beside "
                f"{source.files[0]}: name it train-{file.name} to train on it, or take it out of {source.where}"
            )


def _refuse_files_of_others(source: _Source, language: str) -> None:
    """Refuse a folder with files for several languages, by their paths, that would all be read as in one."""
    folder = Path(source.where)
    files = [part.files[0] for part in source.parts if part.table is None]
    named = {file: _named_languages(file.relative_to(folder)) for file in files}
    if not all(named.values()) or len(set(named.values())) < 2:  # as in `my-a.jsonl`, beside `my-b.jsonl`
        return
    for file, names in named.items():
        if not any(may_be_same_language(language, name) for name in names):
            raise TaskError(
                f"corpus 'dataset': the path of {file} names another language than '{language}', in which all of "
                f"{folder} would be read: name the folder or file of '{language}' alone as path"
            )


def _named_languages(path: Path) -> frozenset[str]:
    """Return the languages that words of a path name; those of three letters, which may all be codes, are left out."""
    words = [word for word in re.split(r"[\W_]+", str(path)) if word.isalpha()]  # no hash, as in names of shards
    words = [word for word in words if len(word) != len("sql") or not word.isascii()]
    return frozenset(code for word in words if (code := named_language(word)))


def _refuse_lacking(part: _Part, found: AbstractSet[str], columns: Iterable[Columns], *, is_only: bool) -> None:
    """Refuse a table without the query and the passage of any language, or with one of the two: its rows would be lost.

    JSON lines may lack a column that others have, so it is asked after the last.
    """
    sides = [{side.query, side.passage} for side in columns]
    whole = set[str]().union(*(side for side in sides if side <= found))
    for side in sides:
        if (lacking := side - found) and ((side & found) - whole or not whole):
            others = "" if is_only else "; name its columns as the other files do, or take it out of the folder"
            raise _no_column(min(lacking), part.where, part.names, others)


def _no_column(name: str, where: str, names: Iterable[str], more: str = "") -> TaskError:
    return TaskError(f"corpus 'dataset': {where} has no column '{name}': {nearest(name, names)}{more}")


def _table(columns: Mapping[str, Columns]) -> Table:
    wanted = {name: Column((name,), required=False) for name in _names(columns)}
    says_language = len(columns) == 1 and not any(name.casefold() in LANGUAGE.names for name in wanted)
    return Table("a dataset", wanted | ({_OWN_LANGUAGE: LANGUAGE} if says_language else {}), ())


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

        def read(datasets: Any) -> Any:
            saved = datasets.load_from_disk(str(path), **_MAPPED)
            return saved[split] if saved_splits else saved

        return _opened(str(path), read)
    asked = _SAME_SPLIT.get(split, split)
    files = [file for file in visible_files(path, _DEPTH) if _is_data(file)]
    named = {file: _split_of(file.relative_to(path)) for file in files}
    chosen = [file for file, found in named.items() if found == asked]
    if not any(named.values()) and asked == "train":
        chosen = files
    chosen = list({file.resolve(): file for file in chosen}.values())  # once, where there is a link to it too
    if not chosen:
        raise TaskError(f"corpus 'dataset': {path} cannot be opened: no data file in it belongs to split '{split}'")
    unclear = [file for file, found in named.items() if not found and file not in chosen]
    return _files(chosen, str(path))._replace(unclear=unclear if asked == "train" else ())


def _is_data(file: Path) -> bool:
    return suffix_of(file) in _SUFFIXES and file.name not in {"dataset_info.json", "dataset_infos.json"}


def _split_of(file: Path) -> str | None:
    """Return the split a file names, as in `train-00000-of-00002.parquet`, or else the closest folder that does."""
    words = (word for part in reversed(file.parts) for word in re.split(r"[^a-z]+", part.lower()))
    return next((_SAME_SPLIT.get(word, word) for word in words if word in SPLIT_WORDS), None)


def _files(files: list[Path], where: str) -> _Source:
    return _Source(where, [_Part(str(file), [file], column_names(file)) for file in files])


def _hub_dataset(name: str, revision: str, config: str | None, split: str, text_columns: Sequence[str]) -> _Source:
    def read(datasets: Any) -> Any:
        options: dict[str, Any] = {"revision": revision, "cache_dir": str(cache_folder() / "datasets")}
        builder = datasets.load_dataset_builder(name, config, **options)
        if hasattr(builder.config, "na_filter"):  # CSV: pandas reads `NA` as missing and `007` as 7 unless told not to
            options |= {"na_filter": False, "converters": dict.fromkeys(text_columns, str)}
        return datasets.load_dataset(name, config, split=split, **options, **_MAPPED)

    return _opened(f"{name} at {revision}", read)


def _opened(where: str, read: Any) -> _Source:
    """Return what `read(datasets)` opens; an error becomes one sentence."""
    import datasets  # noqa: PLC0415 - takes seconds: only once the options are good

    datasets.disable_progress_bars()
    try:
        table = read(datasets)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise TaskError(f"corpus 'dataset': {where} cannot be opened: {str(error).splitlines()[0]}") from error
    files = [Path(file["filename"]) for file in table.cache_files]
    return _Source(where, [_Part(where, files, table.column_names, table)])
