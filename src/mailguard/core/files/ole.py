"""What an OLE file holds: older Office documents, Outlook messages, installers (MS-CFB).

Owns the directory, its streams, and what their names tell: macros, encryption, embedded objects.
Chains are followed with a budget, so loops end. Must not know VBA or a document's text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailguard.core.files.container import HEAD, Contents, Member, unzlib
from mailguard.core.files.source import Source
from mailguard.core.mail import encoded_words

_FREE: Final = 0xFFFFFFFA  # from here on no sector numbers (2.1)
_NONE: Final = 0xFFFFFFFF
_MOST_ENTRIES: Final = 10_000
_MOST_SIBLINGS: Final = 200  # of which an attachment's octets and names are three
_MOST_RECORDS: Final = 20_000  # of a workbook's first substream
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_INSTALLERS: Final = (  # the classes of .msi, .mst and .msp
    bytes.fromhex("8410 0c00 0000 0000 c000 0000 0000 0046"),
    bytes.fromhex("8210 0c00 0000 0000 c000 0000 0000 0046"),
    bytes.fromhex("8610 0c00 0000 0000 c000 0000 0000 0046"),
)
_ATTACHMENT: Final = "__substg1.0_37010102"
_ATTACHMENT_NAMES: Final = ("__substg1.0_3707001f", "__substg1.0_3704001f")  # long, short


@dataclass(frozen=True, slots=True)
class _Entry:
    """A directory entry (2.6.1)."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    class_id: bytes
    start: int
    size: int


class _File:
    """Sectors and chains. Offsets that make no sense give no octets."""

    def __init__(self, source: Source) -> None:
        header = source.cut(0, 512)
        self._source = source
        shift, mini_shift = struct.unpack_from("<2H", header, 30)
        self.whole = shift in (9, 12) and mini_shift == 6
        self._sector = 1 << (shift if self.whole else 9)
        self._mini = 64
        directory, self._cutoff, mini_table = struct.unpack_from("<I4xII", header, 48)
        (difat,) = struct.unpack_from("<I", header, 68)
        self._most = source.size // self._sector + 1
        self._table = self._fat(header, difat)
        self._cached: dict[int, tuple[int, ...]] = {}
        self.entries = self._entries(directory)
        root = self.entries[0] if self.entries else None
        self._mini_table = mini_table
        self._mini_sectors: list[int] | None = None
        self._root = root
        self._minis: tuple[int, ...] = ()

    def _cut(self, sector: int) -> bytes:
        at = (sector + 1) * self._sector
        return self._source.cut(at, at + self._sector)

    def _fat(self, header: bytes, difat: int) -> list[int]:
        """The sectors that hold the allocation table (2.5)."""
        found = [s for s in struct.unpack_from("<109I", header.ljust(512, b"\0"), 76) if s < _FREE]
        for _ in range(self._most):
            if difat >= _FREE or len(found) > self._most:
                break
            octets = self._cut(difat)
            if len(octets) < self._sector:
                self.whole = False
                break
            numbers = struct.unpack(f"<{self._sector // 4}I", octets)
            found += [s for s in numbers[:-1] if s < _FREE]
            difat = numbers[-1]
        return found[: self._most]

    def _next(self, sector: int) -> int:
        index, at = divmod(sector, self._sector // 4)
        if index >= len(self._table):
            return _NONE
        if index not in self._cached:
            octets = self._cut(self._table[index]).ljust(self._sector, b"\xff")
            self._cached[index] = struct.unpack(f"<{self._sector // 4}I", octets)
        return self._cached[index][at]

    def _chain(self, sector: int, most: int) -> list[int]:
        found: list[int] = []
        while sector < _FREE and len(found) < min(most, self._most):
            found.append(sector)
            sector = self._next(sector)
        return found

    def _entries(self, sector: int) -> list[_Entry]:
        found: list[_Entry] = []
        for one in self._chain(sector, _MOST_ENTRIES * 128 // self._sector):
            octets = self._cut(one)
            if len(octets) < self._sector:
                self.whole = False
            found += [_entry(octets[at : at + 128]) for at in range(0, len(octets) - 127, 128)]
        if not found or found[0].kind != _ROOT:
            self.whole = False
        return found

    def read(self, entry: _Entry, most: int) -> bytes:
        """A stream's first octets."""
        size = min(entry.size, most)
        if entry.size >= self._cutoff or entry.kind != _STREAM:
            chain = self._chain(entry.start, -(-size // self._sector))
            return b"".join(map(self._cut, chain))[:size]
        return self._read_mini(entry.start, size)

    def _read_mini(self, sector: int, size: int) -> bytes:
        """Small streams share the root's stream, in pieces of 64 octets (2.4)."""
        if self._root is None:
            return b""
        if self._mini_sectors is None:
            self._mini_sectors = self._chain(self._root.start, self._most)
            table = b"".join(map(self._cut, self._chain(self._mini_table, self._most)))
            self._minis = struct.unpack(f"<{len(table) // 4}I", table)
        pieces: list[bytes] = []
        each = self._sector // self._mini
        while sector < len(self._minis) and len(pieces) < -(-size // self._mini):
            holder, at = divmod(sector, each)
            if holder >= len(self._mini_sectors):
                break
            start = (self._mini_sectors[holder] + 1) * self._sector + at * self._mini
            pieces.append(self._source.cut(start, start + self._mini))
            sector = self._minis[sector]
        return b"".join(pieces)[:size]

    def children(self, storage: _Entry) -> list[_Entry]:
        """What a storage holds: a tree of siblings."""
        found: dict[int, _Entry] = {}
        waiting = [storage.child]
        while waiting and len(found) < _MOST_SIBLINGS:
            index = waiting.pop()
            if index < len(self.entries) and index not in found:
                entry = found[index] = self.entries[index]
                waiting += (entry.left, entry.right)
        return list(found.values())


def _entry(octets: bytes) -> _Entry:
    (length,) = struct.unpack_from("<H", octets, 64)
    name = octets[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
    left, right, child = struct.unpack_from("<3I", octets, 68)
    start, size = struct.unpack_from("<2I", octets, 116)
    return _Entry(name, octets[66], left, right, child, octets[80:96], start, size)


def look(source: Source, most: int) -> Contents:
    """The files inside and what the names of streams tell. Never raises; damage is `trouble`."""
    contents = Contents("ole")
    if source.size < 1_024:
        contents.fault("the document is cut short or damaged")
        return contents
    file = _File(source)
    if not file.whole:
        contents.fault("the document is cut short or damaged")
    contents.expanded = 128 * len(file.entries)
    named = {entry.name.lower(): entry for entry in file.entries if entry.kind}
    if file.entries and file.entries[0].class_id in _INSTALLERS:
        contents.kind = "msi"
    elif "__properties_version1.0" in named:
        contents.kind = "msg"
    if "_vba_project" in named or "vba" in named:
        contents.traits["macros"] = None
    if "encryptedpackage" in named or "encryptedsummary" in named:
        contents.traits["encrypted"] = None
    _word(file, named, contents)
    _excel(file, named, contents)
    _powerpoint(file, named, contents)
    holders = [entry for entry in file.entries if _holds(entry)]
    if len(holders) > most:
        contents.fault("the document holds too many files to be looked at")
    for entry in holders[:most]:
        _members(file, entry, contents)
    return contents


def _word(file: _File, named: dict[str, _Entry], contents: Contents) -> None:
    """fEncrypted in the first part of the file information (MS-DOC 2.5.2)."""
    if (entry := named.get("worddocument")) is not None:
        head = file.read(entry, 16)
        if len(head) == 16 and head[11] & 0x01:
            contents.traits["encrypted"] = None


def _excel(file: _File, named: dict[str, _Entry], contents: Contents) -> None:
    """FilePass and BoundSheet8 of the workbook's first substream (MS-XLS 2.4.117, 2.4.28)."""
    entry = named.get("workbook") or named.get("book")
    if entry is None:
        return
    octets = file.read(entry, 1_048_576)
    at = 0
    for _ in range(_MOST_RECORDS):
        if at + 4 > len(octets):
            return
        kind, length = struct.unpack_from("<2H", octets, at)
        if kind == 0x2F:
            contents.traits["encrypted"] = None
        elif kind == 0x85 and octets[at + 9 : at + 10] == b"\x01":
            contents.traits["macros"] = None  # a sheet of Excel 4.0 macros
        elif kind == 0x0A:
            return
        at += 4 + length


def _holds(entry: _Entry) -> bool:
    lower = entry.name.lower()
    if entry.kind == _STORAGE:
        return lower.startswith("__attach_version1.0_")
    return entry.kind == _STREAM and lower in ("\x01ole10native", "package", "contents")


def _members(file: _File, entry: _Entry, contents: Contents) -> None:
    """The file that is here: a packaged object, or a message's attachment."""
    if entry.kind == _STREAM:
        if entry.name.lower() == "\x01ole10native":
            contents.members.append(_package(file.read(entry, 4_096), partial(file.read, entry)))
        else:
            contents.members.append(_stream(file, entry, ()))
        return
    within = {one.name.lower(): one for one in file.children(entry)}
    names = [
        encoded_words.plain(file.read(within[key], 2_048).decode("utf-16-le", "replace").encode())
        for key in _ATTACHMENT_NAMES
        if key in within
    ]
    if _ATTACHMENT in within:
        contents.members.append(_stream(file, within[_ATTACHMENT], tuple(filter(None, names))))


def _stream(file: _File, entry: _Entry, names: tuple[str, ...]) -> Member:
    def expand(most: int) -> tuple[bytes, bool]:
        octets = file.read(entry, most)
        return octets, len(octets) == entry.size

    return Member(names, file.read(entry, HEAD), expand)


def _package(head: bytes, read: Callable[[int], bytes]) -> Member:
    """A file put into a document as an icon: label, names, then its octets (MS-OLEDS 2.3.6)."""
    label, _, rest = head[6:].partition(b"\0")
    name, zero, rest = rest.partition(b"\0")
    at = len(head) - len(rest) + 4
    (length,) = struct.unpack_from("<I", head[at : at + 4].ljust(4, b"\0"))
    at += 4 + length + 4
    if not zero or at > len(head):
        at, label, name = 4, b"", b""

    def expand(most: int) -> tuple[bytes, bool]:
        octets = read(at + most + 1)[at:]
        return octets[:most], len(octets) <= most

    names = dict.fromkeys(encoded_words.plain(one) for one in (label, name) if one)
    return Member(tuple(names), head[at : at + HEAD], expand)


def _powerpoint(file: _File, named: dict[str, _Entry], contents: Contents) -> None:
    """Macros and objects lie compressed in the one stream (MS-PPT 2.10.36, ExOleObjStg)."""
    if (entry := named.get("powerpoint document")) is None:
        return
    octets = file.read(entry, 16_777_216)
    at = octets.find(b"\x10\x00\x11\x10")
    for _ in range(100):
        if at < 0:
            return
        head, _ = unzlib(octets, at + 12, HEAD)
        if head:
            contents.members.append(Member((), head, partial(unzlib, octets, at + 12)))
        at = octets.find(b"\x10\x00\x11\x10", at + 4)
