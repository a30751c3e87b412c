"""One file on its way into the blob store: written aside, synchronised, put where it belongs.

Owns the steps, and that a file under a blob's name is whole. Must not know who waits for it, nor
how a message is compressed. Errors are the system's own (OSError). The caller holds the lock of
the directory while `place` runs.
"""

# ruff: noqa: PTH104, PTH108, PTH116
# Paths are text where messages are written: pathlib took a third of the CPU of a store.

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import zstandard

from mailguard.adapters.archive import durable, envelopes

_FILE = 0o600  # mail is for nobody else's eyes


class Incoming:
    """What one batch does to one blob. `path` is where it belongs, `aside` where it is written
    first, `frame` gives the message's frame, `behind` collects the frames of envelopes."""

    __slots__ = ("_aside", "_descriptor", "_frame", "_is_aside", "behind", "digest", "path")

    def __init__(self, digest: str, path: str, aside: str, frame: Callable[[], bytes]) -> None:
        self.digest = digest
        self.path = path
        self.behind = b""
        self._aside = aside
        self._frame = frame
        self._descriptor = -1  # of what is not yet synchronised
        self._is_aside = False

    def write(self) -> None:
        """Write the file aside, unless the blob is there already."""
        if not is_stored(self.path):
            self._write_aside()

    def synchronise(self) -> None:
        """Make durable what was written so far; its name is not."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def place(self) -> None:
        """Give a new file its name, or add the envelopes to a blob that is there: that is to be
        synchronised then."""
        try:
            added = envelopes.append(self.path, self.behind)
        except (FileNotFoundError, zstandard.ZstdError):  # not there, or damaged: ours is whole
            if not self._is_aside:
                self._write_aside()
                self.synchronise()
            os.rename(self._aside, self.path)
            self._is_aside = False
        else:
            self.discard()  # another process was quicker
            self._descriptor = added

    def discard(self) -> None:
        """Close and remove what did not reach its place."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)
        if self._is_aside:
            self._is_aside = False
            with suppress(OSError):
                os.unlink(self._aside)

    def _write_aside(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._descriptor = os.open(self._aside, flags, _FILE)
        self._is_aside = True
        durable.write_all(self._descriptor, self._frame() + self.behind)


def is_stored(path: str) -> bool:
    """Whether a blob is there. A crash of the machine could leave an empty file."""
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False
