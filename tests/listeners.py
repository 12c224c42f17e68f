"""On which addresses a process and its descendants listen, from /proc alone."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

LISTEN, UNCONNECTED = "0A", "07"
"""States of a TCP socket that waits for connections, and of a UDP socket that takes from anyone."""
WAITING = {"tcp": LISTEN, "tcp6": LISTEN, "udp": UNCONNECTED, "udp6": UNCONNECTED}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def listeners(root: int) -> dict[str, Address]:
    """Return the addresses that process `root` or a descendant listens on, by "program:port"."""
    waiting = {inode: where for protocol, state in WAITING.items() for inode, where in _waiting(protocol, state)}
    found = {}
    for process in _family(root):
        for inode in _sockets(process) & waiting.keys():
            address, port = waiting[inode]
            found[f"{_program(process)}:{port}"] = address
    return found


def _waiting(protocol: str, state: str) -> Iterator[tuple[str, tuple[Address, int]]]:
    """Yield socket inode, address and port from the kernel's table: rows of hexadecimal words, in host byte order."""
    for row in Path("/proc/net", protocol).read_text("ascii").splitlines()[1:]:
        fields = row.split()
        address, port = fields[1].split(":")
        if fields[3] == state:
            words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
            yield fields[9], (_address(struct.pack(f"={len(words)}I", *words)), int(port, 16))


def _address(packed: bytes) -> Address:
    if len(packed) == 4:
        return ipaddress.IPv4Address(packed)
    six = ipaddress.IPv6Address(socket.inet_ntop(socket.AF_INET6, packed))
    return six.ipv4_mapped or six


def _family(root: int) -> list[Path]:
    """Return the folders in /proc of `root` and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text("utf-8").rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended as we looked
        children.setdefault(parent, []).append(int(folder.name))
    family = [root]
    for process in family:  # grows as it is read: breadth first
        family += children.get(process, [])
    return [Path(f"/proc/{process}") for process in family]


def _sockets(process: Path) -> set[str]:
    """Return the inodes of a process's sockets; none once it has ended."""
    inodes = set()
    try:
        for descriptor in (process / "fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return inodes


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
