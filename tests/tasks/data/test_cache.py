"""What is prepared once a machine is whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch.distributed as dist

from tasks.data.cache import cache_folder, once
from tasks.plugins import TaskError
from tests.process_group import RunInGroup


def fill(folder: Path, log: Path) -> list[str]:
    """Ask for `folder`, whose build leaves a line in `log`, at the same moment as the other processes."""

    def build(partial: Path) -> None:
        with log.open("a", encoding="utf-8") as lines:
            lines.write("built\n")
        (partial / "whole").touch()

    dist.barrier()
    once(folder, build)
    return [path.name for path in folder.iterdir()]


def test_workers_that_ask_at_once_find_what_the_first_of_them_built(tmp_path: Path, run_in_group: RunInGroup) -> None:
    assert run_in_group(4, fill, tmp_path / "made", tmp_path / "log") == [["whole"]] * 4
    assert (tmp_path / "log").read_text("utf-8") == "built\n"


def test_a_failed_build_leaves_nothing_and_may_be_tried_again(cache: Path) -> None:
    def fail(partial: Path) -> None:
        (partial / "half").write_text("ครึ่ง", encoding="utf-8")
        raise TaskError("ผิด")

    with pytest.raises(TaskError, match="ผิด"):
        once(cache / "made", fail)
    assert [path.name for path in cache.iterdir()] == ["made.lock"]
    once(cache / "made", lambda partial: (partial / "whole").touch())
    assert [path.name for path in (cache / "made").iterdir()] == ["whole"]


def test_what_a_killed_process_left_is_not_taken_over(cache: Path) -> None:
    (cache / "made.partial").mkdir(parents=True)
    (cache / "made.partial" / "stale").touch()
    once(cache / "made", lambda partial: (partial / "whole").touch())
    assert [path.name for path in (cache / "made").iterdir()] == ["whole"]


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "file"))
    with pytest.raises(TaskError, match=r"the cache folder .*file cannot be written \(.+\): set .* STUDY_CACHE"):
        once(cache_folder() / "made", lambda _: None)


def test_without_a_choice_the_cache_lies_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STUDY_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "multilingual-retrieval-study"
