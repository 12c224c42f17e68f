"""Rows of TSV and CSV files with quotes, which some writers mean and others do not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.text_lines import separated_rows
from tasks.plugins import TaskError


def rows(folder: Path, content: str, separator: str = "\t") -> list[list[str]]:
    file = folder / "table.tsv"
    file.write_bytes(content.encode())
    return [fields for _, fields in separated_rows(file, separator)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(*[st.text(st.sampled_from('กข漢م\t\n", '), min_size=1)] * 3), min_size=1))
@pytest.mark.parametrize("separator", ["\t", ","])
def test_what_python_s_csv_module_writes_is_read_back(
    tmp_path: Path, separator: str, table: list[tuple[str, str, str]]
) -> None:
    file = tmp_path / "written"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b", "c"), *table])
    assert rows(tmp_path, file.read_text("utf-8"), separator)[1:] == [list(row) for row in table]


def test_lines_of_windows_and_blank_lines_are_read(tmp_path: Path) -> None:
    assert rows(tmp_path, "id\ttext\r\n\r\n1\tไทย\r\n") == [["id", "text"], ["1", "ไทย"]]


def test_a_quote_that_opens_a_text_stays_where_no_later_quote_closes_a_field(tmp_path: Path) -> None:
    content = 'id\ttext\n1\t"ไทย\n2\t曼谷 "ก" ข\n3\t"漢" م\n4\t"ก'
    assert rows(tmp_path, content)[1:] == [["1", '"ไทย'], ["2", '曼谷 "ก" ข'], ["3", '"漢" م'], ["4", '"ก']]


def test_a_quote_that_could_be_either_is_refused_with_its_lines(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r'line 2 has a quote \("\) that line 3 may close, or that is text: use JSON'):
        rows(tmp_path, 'id\ttext\n1\t"ไทย\n2\t曼谷"\n')
    assert rows(tmp_path, 'id,text\n1,"ไทย\n2,曼谷"\n', ",") == [["id", "text"], ["1", "ไทย\n2,曼谷"]]
