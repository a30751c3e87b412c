"""What a ZIP archive holds, by its central directory and its local headers (APPNOTE 6.3).

Owns the reading of both: programs go by the one or the other, so what differs between them is
trouble, and every name of both counts. Nothing is expanded but the first octets of a member.
Must not know what the members mean.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailguard.core.files.container import HEAD, Contents, Member, inflate
from mailguard.core.files.source import Source
from mailguard.core.mail import encoded_words

_END: Final = b"PK\x05\x06"
_CENTRAL: Final = b"PK\x01\x02"
_LOCAL: Final = b"PK\x03\x04"
_TAIL: Final = 65_557  # the end record and the longest comment (4.3.16)
_MOST_DIRECTORY: Final = 4_194_304
_MOST_SIGNATURES: Final = 2_000  # between two files
_STORED, _DEFLATED = 0, 8
_AES: Final = 99
_BOMB: Final = 52_428_800  # octets to which one member may expand …
_BOMB_RATIO: Final = 100  # … if that is so many times what it takes


@dataclass(slots=True)
class _Entry:
    """One central header, or a local one that stands in no directory."""

    names: dict[str, None]
    flags: int
    method: int
    packed: int
    size: int
    local: int
    listed: bool = True
    data: int = -1  # where its octets begin


def look(source: Source, most: int) -> Contents:
    """The archive's members, at most `most`. Never raises; damage is `trouble`."""
    contents = Contents("zip")
    readings = _ends(source)
    if not readings:
        contents.fault("the archive has no directory: it is cut short or damaged")
        return contents
    if len(readings) > 1:
        contents.fault("the archive has two directories, and programs differ in which they read")
    for end in readings:
        entries = _central(source, end, most - len(contents.members), contents)
        _locals(source, entries, contents)
        entries += _unlisted(source, entries, end.start, most - len(entries), contents)
        contents.members += [_member(source, entry, contents) for entry in entries]
    return contents


def is_appended(source: Source) -> bool:
    """Whether a file of another kind ends as a ZIP archive whose directory is where it says."""
    return any(source.cut(end.start, end.start + 4) == _CENTRAL for end in _ends(source))


@dataclass(frozen=True, slots=True)
class _End:
    """An end record: where the central directory is."""

    start: int
    size: int
    count: int
    shift: int  # how far all offsets are off, for what stands before the archive


def _ends(source: Source) -> list[_End]:
    """The end record that most programs find, the last, and the one whose comment ends the file."""
    first = max(source.size - _TAIL, 0)
    tail = source.cut(first, source.size)
    last = tail.rfind(_END)
    if last < 0:
        return []
    found = [last]
    at = tail.find(_END)
    for _ in range(64):
        if not 0 <= at < last:
            break
        if at + 22 <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, at + 20)
            if at + 22 + comment == len(tail):
                found.append(at)
        at = tail.find(_END, at + 1)
    return [end for at in found if (end := _end(source, tail, at, first)) is not None]


def _end(source: Source, tail: bytes, at: int, first: int) -> _End | None:
    if at + 22 > len(tail):
        return None
    count, size, offset = struct.unpack_from("<H2I", tail, at + 10)
    stop = first + at
    if count == 0xFFFF or 0xFFFFFFFF in (size, offset):
        locator = source.cut(stop - 20, stop)  # 4.3.15
        if locator[:4] == b"PK\x06\x07":
            where = int.from_bytes(locator[8:16], "little")
            record = source.cut(where, where + 56)
            if record[:4] != b"PK\x06\x06":  # octets before the archive shift it
                where = stop - 76
                record = source.cut(where, where + 56)
            if record[:4] == b"PK\x06\x06" and len(record) == 56:
                count, size, offset = struct.unpack_from("<3Q", record, 32)
                stop = where
    start = stop - size
    if start < 0:
        return None
    return _End(start, size, count, start - offset)


def _central(source: Source, end: _End, most: int, contents: Contents) -> list[_Entry]:
    if end.size > _MOST_DIRECTORY:
        contents.fault("the archive's directory is too long to be read")
        return []
    directory = source.cut(end.start, end.start + end.size)
    entries: list[_Entry] = []
    at = 0
    while directory[at : at + 4] == _CENTRAL and at + 46 <= len(directory):
        if len(entries) >= most:
            contents.fault("the archive holds too many files to be looked at")
            return entries
        flags, method = struct.unpack_from("<2H", directory, at + 8)
        packed, size = struct.unpack_from("<2I", directory, at + 20)
        lengths = struct.unpack_from("<3H", directory, at + 28)
        (local,) = struct.unpack_from("<I", directory, at + 42)
        name_end = at + 46 + lengths[0]
        extra = directory[name_end : name_end + lengths[1]]
        size, packed, local = _wide(extra, size, packed, local)
        names = _names(directory[at + 46 : name_end], flags, extra)
        entries.append(_Entry(names, flags, method, packed, size, local + end.shift))
        at = name_end + lengths[1] + lengths[2]
    if at != len(directory) or len(entries) != end.count:
        contents.fault("the archive's directory is damaged")
    if end.shift < 0:
        contents.fault("the archive's beginning is missing")
    return entries


def _wide(extra: bytes, size: int, packed: int, local: int) -> tuple[int, int, int]:
    """Sizes of 64 bits stand in an extra field, those that do not fit only (4.5.3)."""
    field = _extra(extra, 0x0001)
    values = [size, packed, local]
    at = 0
    for index, value in enumerate(values):
        if value == 0xFFFFFFFF and at + 8 <= len(field):
            values[index] = int.from_bytes(field[at : at + 8], "little")
            at += 8
    return values[0], values[1], values[2]


def _extra(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _names(name: bytes, flags: int, extra: bytes) -> dict[str, None]:
    """Every reading: UTF-8 where it is said or valid, the DOS code page, the Unicode field."""
    if name.isascii():
        found = {encoded_words.plain(name): None}
    else:
        found = {encoded_words.plain(name): None, _dos(name): None}
        if flags & 0x800:
            found = (
                dict(reversed(found.items()))
                if not _is_utf8(name)
                else {encoded_words.plain(name): None}
            )
    field = _extra(extra, 0x7075)  # 4.6.9
    if len(field) > 5:
        found[encoded_words.plain(field[5:])] = None
    return found


def _dos(name: bytes) -> str:
    return encoded_words.plain(name.decode("cp437").encode())


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _locals(source: Source, entries: list[_Entry], contents: Contents) -> None:
    """Hold each entry against its local header."""
    taken: list[tuple[int, int]] = []
    for entry in entries:
        header = source.cut(entry.local, entry.local + 30)
        if header[:4] != _LOCAL or len(header) < 30:
            contents.fault("the archive's directory and its files do not fit together")
            continue
        flags, method = struct.unpack_from("<2H", header, 6)
        name_length, extra_length = struct.unpack_from("<2H", header, 26)
        variable = source.cut(entry.local + 30, entry.local + 30 + name_length + extra_length)
        names = _names(variable[:name_length], flags, variable[name_length:])
        entry.data = entry.local + 30 + name_length + extra_length
        if names.keys().isdisjoint(entry.names) and not entry.flags & 0x2000:
            contents.fault("a file in the archive has two names")
        if method != entry.method or (flags ^ entry.flags) & 1:
            contents.fault("a file in the archive is packed in two ways")
        entry.names.update(names)
        entry.flags |= flags & 1
        taken.append((entry.local, entry.data + entry.packed))
    taken.sort()
    if any(before[1] > after[0] for before, after in itertools.pairwise(taken)):
        contents.fault("files in the archive lie on each other")
    if taken and taken[-1][1] > source.size:
        contents.fault("the archive is cut short")


def _unlisted(
    source: Source, entries: list[_Entry], stop: int, most: int, contents: Contents
) -> list[_Entry]:
    """Files that no directory names: who reads from the front unpacks them."""
    found: list[_Entry] = []
    at = 0
    for entry in sorted((e for e in entries if e.data >= 0), key=lambda e: e.local):
        found += _between(source, at, entry.local, most - len(found), contents)
        at = max(at, entry.data + entry.packed)
    found += _between(source, at, stop, most - len(found), contents)
    if found:
        contents.fault("the archive holds files that its directory does not name")
    return found


def _between(source: Source, start: int, stop: int, most: int, contents: Contents) -> list[_Entry]:
    if stop - start < 30 or most <= 0:
        return []
    gap = source.cut(start, stop)
    found: list[_Entry] = []
    at = gap.find(_LOCAL)
    for _ in range(_MOST_SIGNATURES):
        if not 0 <= at <= len(gap) - 30 or len(found) >= most:
            break
        version, flags, method = struct.unpack_from("<3H", gap, at + 4)
        packed, size = struct.unpack_from("<2I", gap, at + 18)
        lengths = struct.unpack_from("<2H", gap, at + 26)
        if version < 100 and method in (_STORED, _DEFLATED, 9, 12, 14, _AES) and lengths[0]:
            data = at + 30 + sum(lengths)
            names = _names(gap[at + 30 : at + 30 + lengths[0]], flags, b"")
            packed = packed or len(gap) - data
            found.append(
                _Entry(names, flags, method, packed, size, start + at, False, start + data)
            )
            at = max(data, at + 4)
        else:
            at += 4
        at = gap.find(_LOCAL, at)
    else:
        contents.fault("the archive holds signatures without end")
    return found


def _member(source: Source, entry: _Entry, contents: Contents) -> Member:
    names = tuple(name for name in entry.names if name)
    encrypted = bool(entry.flags & 0x41) or entry.method == _AES
    if entry.flags & 0x2000:
        contents.fault("the archive's directory is encrypted")
    if entry.size > _BOMB and entry.size > _BOMB_RATIO * max(entry.packed, 1):
        return Member(names, encrypted=encrypted, trouble=f"it expands to {entry.size} octets")
    if encrypted:
        return Member(names, encrypted=True)
    if entry.data < 0:
        return Member(names, trouble="it cannot be found in the archive")
    if entry.method not in (_STORED, _DEFLATED):
        return Member(names, trouble=f"it is packed by a method that is not read ({entry.method})")
    head, _ = _expand(source, entry, HEAD, 2 * HEAD)
    return Member(names, head, partial(_expand, source, entry))


def _expand(
    source: Source, entry: _Entry, most: int, looked_at: int | None = None
) -> tuple[bytes, bool]:
    packed = entry.packed if looked_at is None else min(entry.packed, looked_at)
    octets = source.cut(entry.data, entry.data + packed)
    if entry.method == _STORED:
        return octets[:most], len(octets) == entry.packed <= most
    return inflate(octets, most)
