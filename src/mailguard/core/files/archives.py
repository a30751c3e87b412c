"""Archives but ZIP: packed single files, tar, and those whose contents stay unseen (7z, RAR).

Owns how each is taken apart, up to a number of members. Must not know what the members mean.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from mailguard.core.files import zip_directory
from mailguard.core.files.container import (
    HEAD,
    Contents,
    Expand,
    Member,
    bunzip,
    gunzip,
    of_span,
    unxz,
)
from mailguard.core.files.source import Source
from mailguard.core.mail import encoded_words

_SUFFIXES: Final = (".gz", ".tgz", ".gzip", ".bz2", ".tbz", ".tbz2", ".xz", ".txz")
_TAR_SUFFIXES: Final = (".tgz", ".tbz", ".tbz2", ".txz")
_BLOCK: Final = 512
_LONGEST_NAME: Final = 65_536
_BZIP2_BLOCK: Final = 900_000  # octets that are unpacked for the first of them


def look(kind: str, source: Source, names: tuple[str, ...], most: int) -> Contents:
    """What an archive of this kind holds, at most `most` members. Never raises."""
    reader = _READERS.get(kind)
    if reader is None:
        return Contents(kind, trouble="archives of this kind cannot be looked into")
    return reader(source, names, most)


def _zip(source: Source, names: tuple[str, ...], most: int) -> Contents:
    return zip_directory.look(source, most)


def _packed(
    unpack: Callable[[bytes, int], tuple[bytes, bool]],
    kind: str,
    source: Source,
    names: tuple[str, ...],
    most: int,
) -> Contents:
    octets = source.whole()
    inner = {_without_suffix(name): None for name in names}
    if kind == "gzip" and octets[3:4] and octets[3] & 8:
        inner[encoded_words.plain(_gzip_name(octets))] = None
    expand: Expand = partial(unpack, octets)
    head, whole = expand(HEAD)
    if not head and not whole:
        return Contents(kind, trouble="the archive is damaged")
    members = [Member(tuple(n for n in inner if n), head, expand)]
    return Contents(kind, members, expanded=_BZIP2_BLOCK if kind == "bzip2" else len(head))


def _without_suffix(name: str) -> str:
    lower = name.lower()
    for suffix in _SUFFIXES:
        if lower.endswith(suffix):
            return name[: -len(suffix)] + (".tar" if suffix in _TAR_SUFFIXES else "")
    return name


def _gzip_name(octets: bytes) -> bytes:
    at = 10
    if octets[3] & 4:
        at += 2 + int.from_bytes(octets[10:12], "little")
    return octets[at : at + _LONGEST_NAME].partition(b"\0")[0]


def _tar(source: Source, names: tuple[str, ...], most: int) -> Contents:
    """POSIX ustar with GNU's and pax's long names."""
    contents = Contents("tar")
    octets = source.whole()
    long_names: list[bytes] = []
    at = headers = 0
    while at + _BLOCK <= len(octets):
        header = octets[at : at + _BLOCK]
        if not header[0] and not header.strip(b"\0"):
            return contents
        headers += 1
        if headers > 3 * most or len(contents.members) >= most:
            contents.fault("the archive holds too many files to be looked at")
            return contents
        size = _number(header[124:136])
        kind = header[156:157]
        start = at + _BLOCK
        if size < 0 or not _adds_up(header):
            contents.fault("the archive is damaged")
            return contents
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
        if kind == b"L":
            long_names = [octets[start : start + min(size, _LONGEST_NAME)].rstrip(b"\0")]
        elif kind in (b"x", b"X"):
            long_names += _pax_path(octets[start : start + min(size, _LONGEST_NAME)])
        elif kind in (b"0", b"\0", b"7", b"S"):
            if start + size > len(octets):
                contents.fault("the archive is cut short")
            found = [*long_names, header[:100].partition(b"\0")[0]]
            shown = dict.fromkeys(encoded_words.plain(name) for name in found if name)
            contents.members.append(of_span(octets, start, start + size, tuple(shown)))
            long_names = []
        elif kind not in (b"K", b"g"):
            long_names = []
    if not contents.members:
        contents.fault("the archive is damaged")
    return contents


def _number(field: bytes) -> int:
    """Octal, or base 256 where the first bit is set; -1 for neither."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        return -1
    return int(digits, 8) if digits else 0


def _adds_up(header: bytes) -> bool:
    return sum(header) - sum(header[148:156]) + 8 * 0x20 == _number(header[148:156])


def _pax_path(body: bytes) -> list[bytes]:
    """ "30 path=mtime…\\n" records; only the path counts."""
    at = body.find(b" path=")
    return [body[at + 6 :].partition(b"\n")[0]] if at >= 0 else []


def _7z(source: Source, names: tuple[str, ...], most: int) -> Contents:
    """The header at the end names the coders; AES is 06 F1 07 01 (7zFormat, methods)."""
    offset, size = struct.unpack_from("<2Q", source.cut(12, 28).ljust(16, b"\0"))
    header = source.cut(32 + offset, 32 + offset + min(size, 1_048_576))
    if b"\x06\xf1\x07\x01" in header:
        return Contents("7z", [Member((), encrypted=True)])
    return Contents("7z", trouble="7z archives cannot be looked into")


def _rar(source: Source, names: tuple[str, ...], most: int) -> Contents:
    """Whether headers or files are encrypted; what they pack stays unseen."""
    start = source.cut(0, 65_536)
    found = _rar5(start, most) if start[6:7] == b"\x01" else _rar4(start, most)
    found.fault("RAR archives cannot be looked into")
    if any(member.encrypted for member in found.members):
        found.trouble = ""
    return found


def _rar4(start: bytes, most: int) -> Contents:
    contents = Contents("rar")
    at = 7
    while at + 7 <= len(start) and len(contents.members) < most:
        kind, flags, size = struct.unpack_from("<BHH", start, at + 2)
        packed = 0
        if (flags & 0x8000 or kind == 0x74) and at + 11 <= len(start):
            (packed,) = struct.unpack_from("<I", start, at + 7)
        if kind == 0x73 and flags & 0x80:
            contents.members.append(Member((), encrypted=True))
            break
        if kind == 0x74 and at + 32 <= len(start):
            (length,) = struct.unpack_from("<H", start, at + 26)
            name_at = at + 32 + (8 if flags & 0x100 else 0)
            name = start[name_at : name_at + length].partition(b"\0")[0]
            contents.members.append(_unseen(name, bool(flags & 4)))
        if size < 7 or kind == 0x7B:
            break
        at += size + packed
    return contents


def _rar5(start: bytes, most: int) -> Contents:
    contents = Contents("rar")
    at = 8
    while at + 7 <= len(start) and len(contents.members) < most:
        size, body = _vint(start, at + 4)
        end = body + size
        kind, cursor = _vint(start, body)
        flags, cursor = _vint(start, cursor)
        extra, cursor = _vint(start, cursor) if flags & 1 else (0, cursor)
        packed, cursor = _vint(start, cursor) if flags & 2 else (0, cursor)
        if kind == 4:
            contents.members.append(Member((), encrypted=True))
            break
        if kind == 2:
            contents.members.append(_rar5_file(start, cursor, end, extra))
        if not size or kind == 5:
            break
        at = end + packed
    return contents


def _rar5_file(start: bytes, cursor: int, end: int, extra: int) -> Member:
    flags, cursor = _vint(start, cursor)
    for _ in range(2):  # unpacked size, attributes
        _, cursor = _vint(start, cursor)
    cursor += (4 if flags & 2 else 0) + (4 if flags & 4 else 0)
    for _ in range(2):  # compression, system
        _, cursor = _vint(start, cursor)
    length, cursor = _vint(start, cursor)
    encrypted = False
    record = end - extra
    while extra and record < min(end, len(start)):
        size, body = _vint(start, record)
        kind, _ = _vint(start, body)
        encrypted = encrypted or kind == 1
        record = body + size
        if not size:
            break
    return _unseen(start[cursor : cursor + length], encrypted)


def _unseen(name: bytes, encrypted: bool) -> Member:
    """What is packed by RAR's method: its name is all that is known, told once for the archive."""
    return Member((encoded_words.plain(name),) if name else (), encrypted=encrypted)


def _vint(octets: bytes, at: int) -> tuple[int, int]:
    """RAR 5's numbers: seven bits an octet; and where they end."""
    value = 0
    for index in range(10):
        if at + index >= len(octets):
            return 0, len(octets)
        value |= (octets[at + index] & 0x7F) << (7 * index)
        if not octets[at + index] & 0x80:
            return value, at + index + 1
    return 0, len(octets)


_READERS: Final[dict[str, Callable[[Source, tuple[str, ...], int], Contents]]] = {
    "zip": _zip,
    "gzip": partial(_packed, gunzip, "gzip"),
    "bzip2": partial(_packed, bunzip, "bzip2"),
    "xz": partial(_packed, unxz, "xz"),
    "tar": _tar,
    "7z": _7z,
    "rar": _rar,
}
