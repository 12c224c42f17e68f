"""Any dataset of the Hugging Face hub or of this machine that has a column of queries and one of passages.

From the hub, at a commit, so that every machine trains on the same rows; here one language, named under `columns`:

    {name: dataset, id: sentence-transformers/gooaq, revision: b089f728748a068b7bc5234e5bcf5b25e3c8279c,
     columns: {en: {query: question, passage: answer}}}

From this machine: a file (Parquet, CSV or JSON lines), a folder of such files, or what `Dataset.save_to_disk` wrote;
here with two languages in a row, which makes it parallel, and hard negatives:

    {name: dataset, path: pairs.parquet,
     columns: {th: {query: q_th, passage: p_th, negatives: [n_th]}, zh: {query: q_zh, passage: p_zh}}}

A column of negatives holds a text or a list of texts. Texts lose the white space at their ends; where a query or a
passage is empty the row lacks that language. Licence and citation are those of the dataset. Datasets that need a
loading script are refused: no code from a dataset is ever run.

Not run here: downloads from the hub; there was no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic

from tasks.data.cache import cache_folder
from tasks.formats.parallel_arrow import ParallelArrow, converted
from tasks.plugins import TaskError, nearest
from tasks.schema import Pair

_BATCH_ROWS = 2048
_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
_Language = Annotated[str, pydantic.StringConstraints(pattern="^[a-z]{2,3}$")]


class _Columns(pydantic.BaseModel):
    """Where one language's texts are."""

    model_config = pydantic.ConfigDict(extra="forbid")

    query: str
    passage: str
    negatives: tuple[str, ...] = ()

    def pair(self, row: Mapping[str, Any]) -> Pair | None:
        """Return a row's pair in this language, or None where it lacks one."""
        query, passage = _text(row[self.query]), _text(row[self.passage])
        held = [row[column] for column in self.negatives]
        texts = [_text(text) for value in held for text in (value if isinstance(value, list) else [value])]
        return Pair(query, passage, tuple(filter(None, texts))) if query and passage else None


def load(
    *,
    columns: Annotated[dict[_Language, _Columns], pydantic.Field(min_length=1)],
    path: Path | None = None,
    id: str | None = None,  # noqa: A002 - the word for it in a search space
    revision: str | None = None,
    config: str | None = None,
    split: str = "train",
) -> ParallelArrow:
    """Open the corpus, downloading and converting first what is new to this machine.

    Args:
        columns: by language, the names of its columns.
        path: a file, a folder of files or a saved dataset on this machine; or else
        id: of a dataset of the hub, `owner/name`, and
        revision: its commit.
        config: one of the dataset's configurations, where it has several.
        split: one of its splits; slices such as `train[:10%]` as well.

    Raises:
        TaskError: neither or both of `path` and `id`, no such dataset, split or column, or no row.
    """
    if (path is None) == (id is None) or (id is None) != (revision is None):
        raise TaskError("corpus 'dataset' needs either 'path', or 'id' with the 'revision' (a commit) to train on")
    where = str(path.expanduser()) if path else f"{id} at {revision}"
    table = _read(where, lambda datasets: _opened(datasets, path, id, revision, config, split))
    wanted = [name for held in columns.values() for name in (held.query, held.passage, *held.negatives)]
    for name in wanted:
        if name not in table.column_names:
            raise TaskError(f"corpus 'dataset': {where} has no column '{name}': {nearest(name, table.column_names)}")
    files = [Path(file["filename"]) for file in table.cache_files]
    recipe = f"dataset {split} {sorted((language, held.model_dump_json()) for language, held in columns.items())}"
    batches = table.select_columns(sorted(set(wanted))).iter(_BATCH_ROWS)
    return converted("dataset", recipe, files, lambda: _rows(batches, columns))


def _opened(
    datasets: Any, path: Path | None, name: str | None, revision: str | None, config: str | None, split: str
) -> Any:
    """Return the split as a memory-mapped table."""
    kept = {"split": split, "cache_dir": str(cache_folder() / "datasets")}
    if path is None:
        return datasets.load_dataset(name, config, revision=revision, **kept)
    path = path.expanduser()
    if (path / "dataset_dict.json").is_file():
        return datasets.load_from_disk(str(path))[split]
    if (path / "state.json").is_file():
        return datasets.load_from_disk(str(path))
    if path.is_file():
        if path.suffix not in _FORMATS:
            known = nearest(path.suffix, _FORMATS)
            raise TaskError(f"corpus 'dataset', option 'path': {path} is of an unknown kind: {known}")
        return datasets.load_dataset(_FORMATS[path.suffix], data_files={split: str(path)}, **kept)
    return datasets.load_dataset(str(path), config, **kept)


def _read(where: str, read: Any) -> Any:
    """Return what `read(datasets)` opens; whatever it meets becomes one sentence."""
    import datasets  # noqa: PLC0415 - takes seconds: only once the options are good

    datasets.disable_progress_bars()
    try:
        return read(datasets)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise TaskError(f"corpus 'dataset': {where} cannot be opened: {str(error).splitlines()[0]}") from error


def _rows(batches: Iterable[Mapping[str, list[Any]]], columns: Mapping[str, _Columns]) -> Iterator[dict[str, Pair]]:
    for batch in batches:
        for values in zip(*batch.values(), strict=True):
            row = dict(zip(batch, values, strict=True))
            pairs = {language: held.pair(row) for language, held in columns.items()}
            yield {language: pair for language, pair in pairs.items() if pair}


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
