"""Messages from files, mbox files and directories, for teaching the filter.

Owns how they are told apart. Must not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from mailguard.casework.lessons import Example

_FROM = b"From "


def examples(paths: Iterable[Path], limit: int) -> Iterator[Example]:
    """Every message, one after another; a directory's in the order of their names, names that
    begin with a dot left out. `limit`: octets of a message. Raises OSError."""
    for path in paths:
        if not path.is_dir():
            yield from _of_file(path, limit)
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.is_file() and not hidden:
                yield from _of_file(file, limit)


def _of_file(path: Path, limit: int) -> Iterator[Example]:
    with path.open("rb") as file:
        if file.peek(len(_FROM)).startswith(_FROM):
            for number, raw in enumerate(_of_mbox(file, limit), 1):
                yield Example(f"{path}:{number}", _as_sent(raw))
        else:
            raw = file.read(limit + 1)
            yield Example(str(path), _as_sent(raw) if len(raw) <= limit else b"")


def _of_mbox(file: IO[bytes], limit: int) -> Iterator[bytes]:
    """RFC 4155, with the quoting of mboxrd; b"" for a message above the limit."""
    lines: list[bytes] = []
    size, blank, begun = 0, True, False
    while line := file.readline(limit + 1):
        if blank and line.startswith(_FROM):
            if begun:
                yield _whole(lines, size, limit)
            lines, size, begun, blank = [], 0, True, False
            continue
        blank = line in (b"\n", b"\r\n")
        size += len(line)
        if size <= limit:
            lines.append(line[1:] if line.lstrip(b">").startswith(_FROM) else line)
    yield _whole(lines, size, limit)


def _whole(lines: list[bytes], size: int, limit: int) -> bytes:
    if size > limit:
        return b""
    if lines and lines[-1] in (b"\n", b"\r\n"):  # the separator's
        lines = lines[:-1]
    return b"".join(lines)


def _as_sent(raw: bytes) -> bytes:
    """So that a message is the same example however it was saved."""
    return raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")
