"""Every command that a document tells people to type is one that its program takes as it is written."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from ray.scripts.scripts import cli as ray_cli
from typer.main import get_command

from study import cli
from study.space import study_config

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/*/*.md")]
_BETWEEN = "&|;()<>"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in the fenced shell blocks of a document, also of those within `ray exec`."""
    for block in re.findall(r"^[ ]*```bash\n(.*?)^[ ]*```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _split(line)


def _split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_BETWEEN)
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(_BETWEEN):
            if words:
                yield words
            words = []
        elif words or not re.fullmatch(r"[A-Z_]+=\S*", word):  # not a variable for this command alone
            words.append(word)
        if "&& python" in word:  # what another machine runs
            yield from _split(word)


TYPED = [
    pytest.param(words, id=f"{document.relative_to(ROOT)}: {' '.join(words)}"[:100])
    for document in DOCUMENTS
    for words in commands(document.read_text("utf-8"))
]


def test_documents_hold_commands_of_every_kind() -> None:
    told = {tuple(param.values[0][:1]) for param in TYPED}  # type: ignore[index]  # pytest types them as objects
    assert {("make",), ("python",), ("ray",)} <= told


@pytest.mark.parametrize("words", [param for param in TYPED if param.values[0][0] == "make"])  # type: ignore[index]
def test_every_make_target_exists(words: list[str]) -> None:
    targets = set(itertools.chain(*(names.split() for names in re.findall(r"^([\w ./-]+):", MAKEFILE, re.MULTILINE))))
    variables = set(re.findall(r"\$\((?:if \$\()?(\w+)", MAKEFILE))
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        assert name in (variables if is_variable else targets), word


@pytest.mark.parametrize(
    "words",
    [param for param in TYPED if param.values[0][:2] == ["python", "-m"]],  # type: ignore[index]
)
def test_every_module_is_there_and_takes_these_arguments(words: list[str]) -> None:
    module = importlib.import_module(words[2])
    if words[2].startswith("study."):
        get_command(cli.program(module.main)).make_context(words[2], words[3:])  # reads the arguments, and does not run


@pytest.mark.parametrize("words", [param for param in TYPED if param.values[0][0] == "ray"])  # type: ignore[index]
def test_ray_takes_these_arguments(words: list[str]) -> None:
    command: click.Command = ray_cli
    rest = words[1:]
    while isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(command.name, rest)


def test_the_search_space_of_the_readme_loads_and_tries_all_three_ways_to_sample_batches_at_equal_settings() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    points = study_config.parse(yaml.safe_load(example), "my_study").search.points
    assert [point["alpha"] for point in points] == [0.0, 0.5, 1.0]
    assert len({point["temperature"] for point in points}) == 1
