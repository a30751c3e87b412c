"""Envelopes beside blobs: one file a blob, one JSON line for each transaction that brought it.

Owns those files' form and how a line gets there. Must not know the blobs, nor what an envelope
holds. Errors are the system's own (OSError): the blob store gives them their name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_FILE = 0o600
_SUFFIX = ".envelope.jsonl"


def beside(blob: str) -> str:
    """The path of a blob's envelopes."""
    return blob.removesuffix(".zst") + _SUFFIX


def encode(envelope: Mapping[str, Any]) -> bytes:
    """An envelope as its line: ASCII, so whatever its texts hold stays one line."""
    return json.dumps(envelope, separators=(",", ":")).encode("ascii") + b"\n"


def read(path: Path) -> list[dict[str, Any]]:
    """Every envelope in the file, oldest first; torn lines are left out."""
    found = []
    for line in path.read_bytes().split(b"\n"):
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                found.append(value)
    return found


def append(path: str, line: bytes) -> None:
    """Add a line, durable but for the file's own entry in its directory when it is new."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _FILE)
    try:
        size = os.fstat(descriptor).st_size
        # A line that a crash tore must not swallow ours.
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        write_all(descriptor, b"\n" + line if torn else line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if size:  # no new entry, so the directory must be told: iter_envelopes looks at it
        os.utime(Path(path).parent)


def write_all(descriptor: int, octets: bytes) -> None:
    """Write every octet, however many calls it takes."""
    view = memoryview(octets)
    while view:
        view = view[os.write(descriptor, view) :]


def changed(directory: Path, since: float) -> Iterator[Path]:
    """The files below the store that changed since then; directories that did not are skipped."""
    with suppress(FileNotFoundError):
        for upper in sorted(directory.glob("[0-9a-f][0-9a-f]")):
            for lower in sorted(upper.glob("[0-9a-f][0-9a-f]")):
                if lower.stat().st_mtime >= since:
                    with os.scandir(lower) as entries:
                        for entry in entries:
                            name = entry.name
                            if name.endswith(_SUFFIX) and (entry.stat().st_mtime >= since):
                                yield Path(entry.path)
