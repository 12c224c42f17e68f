"""Facts about what users meet on the command line before anything starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from typer.testing import CliRunner

from study import cli, compare, dashboard, evaluate, report, run
from study.results import files, layout
from study.run import LONGEST_NAME
from tasks.errors import UserError
from tests.study.synthetic_study import write_study

RUNNER = CliRunner()
NAMES = [
    "",
    " ",
    "a ",
    "\u202eelif",
    ".",
    "..",
    "../x",
    "a/b",
    "/abs",
    "new\nline",
    "tab\t",
    "bell\x07",
    ".hidden",
    "ย" * LONGEST_NAME,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_a_study_s_name_is_the_name_of_one_folder(name: str, tmp_path: Path) -> None:
    done = RUNNER.invoke(cli.program(run.main), ["--dry-run", "--name", name, "--storage", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --name ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 300


def test_a_study_may_have_a_name_in_any_script_with_signs_that_urls_know(tmp_path: Path) -> None:
    for name in ("การทดลอง 1", "what? 100%", "a%20b", "研究#2"):
        done = RUNNER.invoke(cli.program(run.main), ["--dry-run", "--name", name, "--storage", str(tmp_path)])
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("name", ["what?", "a%20b", "50%", "q?a=b&c", "ไทย #1"])
def test_the_record_lies_in_the_study_s_folder_whatever_that_is_called(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    optuna.create_study(storage=layout.record_url(str(folder), None), study_name=name)
    assert [file.name for file in folder.iterdir()] == [layout.RECORD]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_study_is_found_by_its_folder_and_by_its_name_in_the_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("studies/การทดลอง", "here/การทดลอง", "here/second"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "studies/การทดลอง/study.json").touch()
    (tmp_path / "here/second/study.json").touch()
    monkeypatch.setenv("STUDY_STORAGE", str(tmp_path / "studies"))
    monkeypatch.chdir(tmp_path / "here")
    named = ("การทดลอง", "second", "../here/second", "s3://bucket/study")
    assert [cli.study_folder(name) for name in named] == [str(tmp_path / "studies/การทดลอง"), *named[1:]]
    with pytest.raises(
        UserError, match=r"no study 'การทดลอ' here or in .*studies \(STUDY_STORAGE .*: did you mean 'การทดลอง'"
    ):
        cli.study_folder("การทดลอ")


def test_a_storage_that_does_not_answer_is_one_sentence_for_the_name_of_a_study(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exists(path: str) -> bool:
        if path.startswith("s3://"):
            raise OSError("AWS Error NETWORK_CONNECTION\nin HeadBucket")
        return False

    monkeypatch.setattr(files, "exists", exists)
    monkeypatch.setenv("STUDY_STORAGE", "s3://bucket/studies")
    with pytest.raises(UserError, match=r"s3://bucket/studies cannot be reached \(AWS Error NETWORK_CONNECTION\)"):
        cli.study_folder("การทดลอง")


def test_an_empty_storage_is_the_default_one_as_for_study_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STUDY_STORAGE", "")
    with pytest.raises(UserError, match=f"here or in {tmp_path}/multilingual-retrieval-studies"):
        cli.study_folder("การทดลอง")


@pytest.mark.parametrize("command", [compare, report])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("AWS Error ACCESS_DENIED\nin PutObject")

    folder = write_study(tmp_path / "การทดลอง", questions=20, examples=False)
    for name in ("write_json", "write_text"):
        monkeypatch.setattr(files, name, refuse)
    done = RUNNER.invoke(cli.program(command.main), [folder])
    assert done.exit_code == 2
    assert f"error: {folder} cannot be written (AWS Error ACCESS_DENIED): copy the study's folder" in done.stderr


def test_a_pipe_has_the_width_that_the_environment_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert cli.console().width == cli.LOG_WIDTH
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.console().width == 80


@pytest.mark.parametrize("storage", ["foo://bucket/x", "ftp://host/x", "htp://x", "s3://"])
def test_a_uri_that_no_file_system_serves_is_refused(storage: str) -> None:
    with pytest.raises(UserError, match=r"is refused: write a folder, or a URI that begins with s3://"):
        files.absolute(storage)
    done = RUNNER.invoke(cli.program(run.main), ["--dry-run", "--storage", storage])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(run, ["--dry-run", "--storage"]), (run, ["--resume", "--storage"]), (report, []), (compare, []), (dashboard, [])],
)
def test_a_bucket_that_does_not_answer_is_one_sentence(
    command: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> bool:
        raise OSError("AWS Error NETWORK_CONNECTION\nin HeadBucket")

    monkeypatch.setattr(files, "exists", refuse)
    done = RUNNER.invoke(cli.program(command.main), [*arguments, "s3://bucket/studies"])
    assert done.exit_code == 2
    assert done.stderr == (
        "error: s3://bucket/studies cannot be reached (AWS Error NETWORK_CONNECTION): check its name, the network and "
        "your credentials\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--data", "ไม่มี"],
            "--data ไม่มี is refused, as factbook reads no folder: add --benchmarks local, or one that does",
        ),
        (["--setting", "steps=100"], "--setting steps is refused: an evaluation trains nothing"),
        (["--setting", "benchmarks=[xquad_r]"], "--setting benchmarks is refused: use --benchmarks"),
        (["--setting", "resources={workers: 2}"], "--setting resources is refused: use --workers"),
        (["--setting", "backbone=x"], "--setting backbone is refused: MODEL names it"),
        (["--setting", "steps"], "--setting 'steps' is refused: write KEY=VALUE"),
        (["--option", "languages=de,zh"], "'de,zh' is refused: write a list, such as [th, zh]"),
        (["--option", "languages=[]"], "option 'languages': the list is empty"),
        (["--output", "/proc/nothing/result.json"], "--output /proc/nothing/result.json cannot be written"),
        (["--output", "/etc"], "--output /etc cannot be written (it is a folder)"),
        (["--runs", "/proc/nothing/runs"], "--runs /proc/nothing/runs cannot be written"),
        (["--output", "ย" * 100], "can be no path on this machine (File name too long)"),
        (["--setting", "seed=" + "9" * 5000], "is not YAML: Exceeds the limit (4300 digits)"),
    ],
)
def test_an_evaluation_refuses_what_it_would_ignore_or_lose(arguments: list[str], sentence: str) -> None:
    done = RUNNER.invoke(cli.program(evaluate.main), ["builtin/xlmr-tiny", *arguments])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_value_that_is_long_or_invisible_does_not_fill_the_terminal_or_change_its_direction() -> None:
    shown = cli.one_line(f"'{'x' * 10**6}\n\x1b[31m\u202e' is refused: write กรุงเทพ")
    assert len(shown) < 1000
    assert shown.endswith(r"\n\x1b[31m\u202e' is refused: write กรุงเทพ")


def test_output_that_its_encoding_lacks_is_escaped_and_ends_no_command() -> None:
    code = "from study import cli; cli.console().print('โมเดล 模型 → 0.5')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert printed.stdout.decode("ascii").endswith("0.5\n")
    assert "\\u0e42" in printed.stdout.decode("ascii")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_and_the_second_ends_the_process(number: signal.Signals) -> None:
    code = (
        "import os, sys; from study.cli import Interruption\n"
        "interruption = Interruption(); interruption.install()\n"
        "try: os.kill(os.getpid(), int(sys.argv[1]))\n"
        "except KeyboardInterrupt: print(interruption.signal.name, flush=True)\n"
        "os.kill(os.getpid(), int(sys.argv[1])); print('still here')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(int(number))], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stdout == f"{number.name}\n"
    assert ended.returncode == -number


def test_a_study_that_never_started_offers_no_command_to_resume_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ending = tmp_path / "เริ่ม", "interrupted by SIGHUP"
    run._say_end(cli.console(), ending, str(folder))
    folder.mkdir()
    (folder / layout.STUDY).write_text("{}", "utf-8")
    run._say_end(cli.console(), ending, str(folder))
    assert capsys.readouterr().out.splitlines() == [
        "interrupted by SIGHUP before the study had started",
        f"interrupted by SIGHUP; resume with: python -m study.run --resume --name 'เริ่ม' --storage {tmp_path}",
    ]


def test_a_name_that_a_uri_would_read_otherwise_is_refused_for_a_bucket() -> None:
    for name in ("การทดลอง", "first#2", "my study", "50%"):
        done = RUNNER.invoke(cli.program(run.main), ["--dry-run", "--name", name, "--storage", "s3://bucket/studies"])
        assert done.exit_code == 2
        assert "as s3://bucket/studies is a URI: use letters, digits" in " ".join(done.stderr.split())
