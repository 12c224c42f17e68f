"""A mined file is there when it is complete, and one run writes it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from study.distributed import rank
from study.retrieval.candidates import MiningError
from study.retrieval.mined_file import claimed
from tests.process_group import RunInGroup


def test_a_second_run_is_refused_and_the_first_one_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "mined.jsonl"
    with claimed(file) as first:
        assert first
        with pytest.raises(MiningError, match=r"mined\.jsonl\.partial exists: another run is writing .* remove that"):
            claimed(file).__enter__()
        first.write("row")
        assert not file.exists()
    assert file.read_text() == "row"
    assert [path.name for path in tmp_path.iterdir()] == ["mined.jsonl"]


def claim(folder: Path) -> bool:
    with claimed(folder / "mined.jsonl") as out:
        return (out is not None) == (rank() == 0)


def test_a_second_run_is_refused_on_all_ranks(run_in_group: RunInGroup, tmp_path: Path) -> None:
    assert all(run_in_group(2, claim, tmp_path))
    (tmp_path / "mined.jsonl.partial").touch()
    with pytest.raises(MiningError, match="exists"):
        run_in_group(2, claim, tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("model")])
def test_an_error_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), claimed(tmp_path / "mined.jsonl"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "mined.jsonl"

    def made_meanwhile() -> None:
        with claimed(file) as out:
            assert out
            out.write("hours of work")
            file.write_text("theirs")

    with pytest.raises(MiningError, match="was made by something else meanwhile"):
        made_meanwhile()
    assert file.read_text() == "theirs"
    assert Path(f"{file}.partial").read_text() == "hours of work"


def test_what_is_complete_and_cannot_be_renamed_is_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(Path, "rename", refuses)

    def mine() -> None:
        with claimed(tmp_path / "mined.jsonl") as out:
            assert out
            out.write("hours of work")

    with pytest.raises(
        MiningError, match=r"mined.jsonl.partial is complete and cannot be renamed \(Operation not supp"
    ):
        mine()
    assert (tmp_path / "mined.jsonl.partial").read_text() == "hours of work"
