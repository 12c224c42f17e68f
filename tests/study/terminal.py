"""Run a command as a user at a terminal does."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from rich.text import Text


def on_terminal(columns: int, module: str, *arguments: str) -> str:
    """Run `python -m module` on a terminal of this width to its end; return what it printed, without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment | {"TERM": "xterm"}
    ) as process:
        os.close(slave)
        printed = b"".join(iter(lambda: _read(master), b""))
        process.wait()
    os.close(master)
    return Text.from_ansi(printed.decode().replace("\r\n", "\n")).plain


def _read(master: int) -> bytes:
    """Return what a terminal shows next; nothing once its last program has ended, which Linux reports as an error."""
    try:
        return os.read(master, 4096)
    except OSError:
        return b""
