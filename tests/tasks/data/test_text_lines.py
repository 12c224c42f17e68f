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


def test_quotes_are_text_where_every_line_is_a_row_that_begins_with_a_number(tmp_path: Path) -> None:
    """As in MS MARCO's collection, where a passage that begins with a quote was taken to end in a later passage."""
    content = '0\t"ไทย\n1\t曼谷\n2\tعاصمة"\n3\t"ก"\n4\t"ข ""ค"" ง"\n'
    texts = ['"ไทย', "曼谷", 'عاصمة"', '"ก"', '"ข ""ค"" ง"']
    assert rows(tmp_path, content) == [[str(number), text] for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('0\t"ไทย\tก"\n1\t曼谷\n', [["0", "ไทย\tก"], ["1", "曼谷"]]),
        ('0\t"ไทย\nก"\n1\t曼谷\n', [["0", "ไทย\nก"], ["1", "曼谷"]]),
        ('id\ttext\n1\t"曼谷"\n', [["id", "text"], ["1", "曼谷"]]),
        ('0\t"เขาว่า ""ไป"""\n1\t曼谷\n', [["0", 'เขาว่า "ไป"'], ["1", "曼谷"]]),
    ],
    ids=["a tab", "a line break", "a header", "quotes that all close"],
)
def test_a_quoted_field_of_a_numbered_table_may_hold_what_separates(
    tmp_path: Path, content: str, expected: list[list[str]]
) -> None:
    assert rows(tmp_path, content) == expected
