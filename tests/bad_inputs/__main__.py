"""Run every bad input through the command line and print a table in Markdown: `python -m tests.bad_inputs`.

One process runs at a time, at low priority. Exits with 1 if any command showed a stack trace, hung, accepted its input,
or refused it in more than a sentence.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bad_inputs.case import BadInput, Ending, Templates, environment, fault
from tests.bad_inputs.corpus import all_inputs
from tests.bad_inputs.templates import templates

LIMIT_S = 60
"""Seconds of processor time; a command that takes more is a hang."""
WAITING_S = 600
"""Seconds until a command counts as a hang that takes no processor time."""
FAULTS = ("trace", "hang", "accepted", "unclear")
_LOW = ("nice", "-n", "10", "prlimit", f"--cpu={LIMIT_S}")
_WITHOUT_ROOT_S_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


class Row(NamedTuple):
    """How one command ended."""

    case: BadInput
    ending: Ending
    seconds: float
    """Processor time."""

    @property
    def fault(self) -> str | None:
        """What is wrong with it."""
        return fault(self.case, self.ending)


def main() -> int:
    """Print the tables and return the code for the shell."""
    arguments = argparse.ArgumentParser(description="Run every bad input through the command line.")
    arguments.add_argument("--only", default="", help="cases whose family, name or arguments contain this")
    arguments.add_argument("--rows", type=Path, help="TSV file with one line for each case")
    given = arguments.parse_args()
    cases = [case for case in all_inputs() if given.only in f"{case.family} {case.name} {' '.join(case.arguments)}"]
    with tempfile.TemporaryDirectory(prefix="bad-inputs-") as scratch:
        folder = Path(scratch)
        os.environ["STUDY_CACHE"] = str(folder / "cache")
        made = templates(folder / "templates")
        rows = []
        for number, case in enumerate(cases):
            rows.append(run(case, folder / str(number), made))
            if rows[-1].fault:
                sys.stderr.write(shown(rows[-1]) + "\n")
            if given.rows:
                write(given.rows, rows[-1], first=number == 0)
    sys.stdout.write(table(rows) + "\n")
    return int(any(row.fault for row in rows))


def run(case: BadInput, folder: Path, made: Templates) -> Row:
    """Run one command to its end."""
    folder.mkdir()
    case.prepare(folder, made)
    command = [*_LOW, *(_WITHOUT_ROOT_S_RIGHTS if os.geteuid() == 0 else ()), sys.executable, "-m"]
    command += [f"study.{case.arguments[0]}", *case.arguments[1:]]
    variables = environment(Path(os.environ["STUDY_CACHE"])) | {"PYTHONPATH": str(Path.cwd())}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=WAITING_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ended = process.returncode in {-signal.SIGKILL, -signal.SIGXCPU}
    return Row(case, Ending(None if ended else process.returncode, errors, output), seconds)


def shown(row: Row) -> str:
    """Return a case that went wrong, in a few lines."""
    command = " ".join(row.case.arguments)[:200]
    return f"{row.fault}: [{row.case.family}] {row.case.name}\n  study.{command}\n  {row.ending.errors[-600:].strip()}"


def write(file: Path, row: Row, *, first: bool) -> None:
    """Add a line to a file."""
    sentence = (row.ending.errors.splitlines() or [""])[-1]
    fields = (
        row.case.family,
        row.case.name,
        row.case.arguments[0],
        row.ending.status,
        f"{row.seconds:.2f}",
        row.fault or "",
        sentence,
    )
    text = "family\tname\tcommand\tstatus\tseconds\tfault\tsentence\n" if first else ""
    text += "\t".join(ascii(field)[1:-1] if not str(field).isprintable() else str(field) for field in fields) + "\n"
    with file.open("w" if first else "a", encoding="utf-8") as stream:
        stream.write(text)


def table(rows: Sequence[Row]) -> str:
    """Return a line for each family, and one for all."""
    lines = ["| family | inputs | stack traces | hangs | accepted | unclear | median s | 95 % s |"]
    lines += ["| :-- |" + " --: |" * 7]
    for family in dict.fromkeys(row.case.family for row in rows):
        lines.append(_line(family, [row for row in rows if row.case.family == family]))
    return "\n".join([*lines, _line("**all**", rows)])


def _line(title: str, rows: Sequence[Row]) -> str:
    counts = " | ".join(str(sum(row.fault == kind for row in rows)) for kind in FAULTS)
    seconds = [row.seconds for row in rows]
    highest = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return f"| {title} | {len(rows)} | {counts} | {statistics.median(seconds):.2f} | {highest:.2f} |"


if __name__ == "__main__":
    sys.exit(main())
