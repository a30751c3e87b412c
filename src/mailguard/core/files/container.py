"""What a container says it holds: the form in which every reader of containers answers.

Must not know any format.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

HEAD: Final = 512  # octets of a member that are enough to tell its kind

_GZIP_MEMBERS: Final = 1_000
_CHUNK: Final = 65_536

Expand = Callable[[int], tuple[bytes, bool]]
"""At most so many octets of a member, and whether those are all."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a container. What cannot be read has no `expand`, and `trouble` says why."""

    names: tuple[str, ...]  # every reading, most usual first
    head: bytes = b""
    expand: Expand | None = None
    encrypted: bool = False
    trouble: str = ""


@dataclass(slots=True)
class Contents:
    """A container looked into. `kind` and `traits` are what its members tell about it."""

    kind: str = ""  # a more exact key of `filetypes.KINDS`: "ooxml" of a ZIP
    members: list[Member] = field(default_factory=list)
    traits: dict[str, None] = field(default_factory=dict)
    trouble: str = ""
    expanded: int = 0  # octets that were expanded while looking

    def fault(self, words: str) -> None:
        """The first trouble is the one that is told."""
        self.trouble = self.trouble or words


def of_span(octets: bytes, start: int, end: int, names: tuple[str, ...] = ()) -> Member:
    """A member that stands there as it is. Nothing is copied before it is asked for: spans may
    lie on each other."""
    stop = min(end, len(octets))

    def expand(most: int) -> tuple[bytes, bool]:
        return octets[start : min(stop, start + most)], stop - start <= most

    return Member(names, octets[start : min(stop, start + HEAD)], expand)


def inflate(packed: bytes, most: int) -> tuple[bytes, bool]:
    """Deflate's octets (RFC 1951), and whether they are all. Damage ends it."""
    machine = zlib.decompressobj(-15)
    try:
        made = machine.decompress(packed, most) if most > 0 else b""
    except zlib.error:
        return b"", False
    return made, machine.eof


def unzlib(octets: bytes, at: int, most: int) -> tuple[bytes, bool]:
    """What zlib packed there (RFC 1950), however much follows it."""
    machine = zlib.decompressobj()
    pieces: list[bytes] = []
    while not machine.eof:
        # What follows is copied by the machine: not all of it at once.
        chunk = octets[at : at + _CHUNK]
        if most <= 0 or not chunk:
            return b"".join(pieces), False
        try:
            pieces.append(machine.decompress(machine.unconsumed_tail + chunk, most))
        except zlib.error:
            return b"".join(pieces), False
        most -= len(pieces[-1])
        at += len(chunk)
    return b"".join(pieces), True


def gunzip(packed: bytes, most: int) -> tuple[bytes, bool]:
    """All members of a gzip file, joined as every reader does (RFC 1952 2.2)."""
    pieces: list[bytes] = []
    at = 0
    for _ in range(_GZIP_MEMBERS):
        machine = zlib.decompressobj(31)
        while not machine.eof:
            chunk = packed[at : at + _CHUNK]  # what follows a member is copied: not all at once
            if most <= 0 or not chunk:
                return b"".join(pieces), False
            try:
                pieces.append(machine.decompress(chunk, most))
            except zlib.error:
                return b"".join(pieces), False
            most -= len(pieces[-1])
            at += len(chunk) - len(machine.unconsumed_tail) - len(machine.unused_data)
        if packed[at : at + 2] != b"\x1f\x8b":
            return b"".join(pieces), True
    return b"".join(pieces), False


def bunzip(packed: bytes, most: int) -> tuple[bytes, bool]:
    machine = bz2.BZ2Decompressor()
    try:
        made = machine.decompress(packed, most)
    except OSError:
        return b"", False
    return made, machine.eof and not machine.unused_data.startswith(b"BZh")


def unxz(packed: bytes, most: int) -> tuple[bytes, bool]:
    machine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=67_108_864)
    try:
        made = machine.decompress(packed, most)
    except lzma.LZMAError:
        return b"", False
    return made, machine.eof and not machine.unused_data.startswith(b"\xfd7zXZ")
