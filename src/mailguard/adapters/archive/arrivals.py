"""The arrivals: which blobs got an envelope lately, so that a start need not look at all of them.

Owns one file an hour, `2031-05-09T13`, of digests a line. Must not know what a blob or an envelope
is. Errors are the system's own (OSError). A line may name a blob that never came into being: it is
written, durably, before that is.
"""

# ruff: noqa: PTH108, PTH123, PTH208
# Paths are text where messages are written: pathlib took a third of the CPU of a store.

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from mailguard.adapters.archive import durable

KEPT = 9 * 86_400.0  # seconds that are remembered
_HOUR = 3_600.0
_DIGEST = 64  # characters


class Arrivals:
    """The files below one directory, which must be there. One thread of a process adds."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._hour = ""
        self._descriptor = -1

    def add(self, digests: Iterable[str]) -> None:
        """Note them; durable when this returns."""
        hour = _name(time.time())
        if hour != self._hour:
            self.close()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(f"{self._directory}/{hour}", flags, 0o600)
            durable.synchronise(self._directory)
            self._hour = hour
        # A line break first, too: what a crash tore must not swallow ours.
        lines = "\n{}\n".format("\n".join(digests)).encode("ascii")
        durable.write_all(self._descriptor, lines)
        os.fdatasync(self._descriptor)

    def since(self, since: float) -> Iterator[str]:
        """What was noted since then (seconds since the epoch) or up to two hours before, each
        once."""
        seen: set[bytes] = set()  # half of what the texts would take
        oldest = _name(since - _HOUR)  # a batch may have begun in the hour before
        for name in self._names():
            if name < oldest:
                continue
            with suppress(FileNotFoundError), open(f"{self._directory}/{name}", "rb") as file:
                for line in file:
                    with suppress(ValueError):
                        digest = bytes.fromhex(line.decode("ascii"))
                        if len(digest) * 2 == _DIGEST and digest not in seen:
                            seen.add(digest)
                            yield digest.hex()

    def sweep(self) -> None:
        """Forget what is older than `KEPT`."""
        for name in self._names():
            if name < _name(time.time() - KEPT - 2 * _HOUR):
                with suppress(FileNotFoundError):
                    os.unlink(f"{self._directory}/{name}")

    def close(self) -> None:
        """Close the file; the next `add` opens it again."""
        descriptor, self._descriptor, self._hour = self._descriptor, -1, ""
        if descriptor >= 0:
            os.close(descriptor)

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []


def _name(at: float) -> str:
    return datetime.fromtimestamp(max(at, 0.0), UTC).strftime("%Y-%m-%dT%H")
