"""Every file that comes with a message, at any depth, by its true type (R40).

Owns the way in: parts, archives, documents, attached messages; and its budgets. Nothing is decoded
or expanded that a directory or the first octets tell. Never raises.
Must not know policy, nor what follows from a kind or a name.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailguard.core.files import (
    archives,
    documents,
    filenames,
    filetypes,
    ole,
    source,
    zip_directory,
)
from mailguard.core.files.container import Contents, Member
from mailguard.core.files.file import File
from mailguard.core.files.source import Source
from mailguard.core.mail import encoded_words, mime, safe_text, transfer_encoding
from mailguard.core.mail.message import Message, Part


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Budgets of one message's files; past one, a file's trouble says so."""

    files: int = 2_000  # in archives, documents and attached messages
    depth: int = 4  # archives within archives
    decoded: int = 67_108_864  # octets of attachments that have to be read whole
    expanded: int = 52_428_800
    slow: bool = True  # whether bzip2 and xz are unpacked: the first octet may cost 0.1 seconds


DEFAULT: Final = ScanLimits()
LIGHT: Final = ScanLimits(200, decoded=4_194_304, expanded=1_048_576, slow=False)  # some 50 ms

_RUNS: Final = (b"MZ", b"\x7fELF", b"PK\x03\x04", b"X5O!P%@AP")
_UUENCODED: Final = re.compile(
    rb"^begin(?:-base64)? [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE
)
_MOST_UUENCODED: Final = 100
_LONGEST_LINE: Final = 200
_REPORTS: Final = frozenset(
    ("message/delivery-status", "message/disposition-notification", "message/external-body")
)
_PAGES: Final = frozenset(("html", "svg", "hta"))
_DOCUMENTS: Final = frozenset(("ole", "pdf", "rtf", "onenote", "tnef"))
_MAY_END_IN_ZIP: Final = frozenset(("zip", "tar", "ole", "onenote", "tnef", "message"))
_OFFICE: Final = frozenset(("ooxml", "odf", "epub"))  # made of pages, pictures and XML themselves
_WEAK: Final = ("", "text")  # what a name or the end of a file may still tell more of
_TOO_DEEP: Final = "it lies too deep to be looked into"
_TOO_MUCH: Final = "there is too much in it to be looked at"
_NO_ARCHIVE: Final = "it is named as an archive and cannot be read as one"
_DAMAGED: Final = "it is damaged and cannot be unpacked"


def look(message: Message, limits: ScanLimits = DEFAULT) -> tuple[tuple[File, ...], bool]:
    """The files of a message, in its order, and whether a budget ended the look at some."""
    looked = _Look(limits)
    looked.message(message, "", (), 0)
    return tuple(looked.found), looked.cut


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file was found."""

    part: str
    within: tuple[str, ...]
    depth: int
    holder: str = ""  # the kind of what it lies in

    def inside(self, file: File, kind: str) -> _Place:
        name = file.names[0] if file.names else filetypes.words_of(kind)
        return _Place(self.part, (*self.within, safe_text.file_name(name)), self.depth + 1, kind)


class _Look:
    """One look, with what is left of its budgets."""

    def __init__(self, limits: ScanLimits) -> None:
        self.limits = limits
        self.files = limits.files
        self.decoded = limits.decoded
        self.expanded = limits.expanded
        self.found: list[File] = []
        self.cut = False

    def message(self, message: Message, part: str, within: tuple[str, ...], depth: int) -> None:
        """The leaves of a message's tree; attached messages are branches of it already."""
        for one in message.parts:
            if one.children or one.content_type in _REPORTS:
                continue
            place = _Place(part or one.path, within, depth)
            if _is_text(one):
                self._text(message, one, place)
                continue
            if depth and not self._counted():
                self._record(File(place.part, within, one.filenames, trouble=_TOO_MUCH))
                return
            body = source.of_body(message.raw[one.body_start : one.end], one.transfer_encoding)
            self._file(place, one.filenames, one.content_type, body, at_hand=False)

    def _text(self, message: Message, part: Part, place: _Place) -> None:
        """A text that is shown. It may be something else by content, or hold files uuencoded."""
        encoding = part.transfer_encoding
        if encoding in transfer_encoding.IDENTITY:
            start, end = part.body_start, part.end
            if message.raw.startswith(_RUNS, start, end):
                head = message.raw[start : min(end, start + filetypes.HEAD)]
            elif message.raw.find(b"\nbegin", max(start - 1, 0), end) >= 0:
                self._uuencoded(message.raw[start:end], place)
                return
            else:
                return
        else:
            head = mime.head(message, part, filetypes.HEAD if encoding == "base64" else 16)
        kind = filetypes.by_content(head) if head.startswith(_RUNS) else ""
        if kind:
            body = source.of_body(message.raw[part.body_start : part.end], encoding)
            self._file(place, (), part.content_type, body, at_hand=False)

    def _uuencoded(self, body: bytes, place: _Place) -> None:
        """What mail programs of old show as attachments."""
        end = 0
        for number, match in enumerate(_UUENCODED.finditer(body)):
            if match.start() < end:
                continue
            if number == _MOST_UUENCODED or not self._counted():
                self._record(File(place.part, place.within, (), trouble=_TOO_MUCH))
                return
            octets, end = _from_uu(body, match.end())
            if octets:
                name = encoded_words.plain(match[1])
                self._file(place, (name,), "", source.Plain(octets), at_hand=True)

    def _counted(self) -> bool:
        self.files -= 1
        if self.files < 0:
            self.cut = True
        return self.files >= 0

    def _record(self, file: File) -> None:
        self.found.append(file)

    def _file(
        self, place: _Place, names: tuple[str, ...], declared: str, body: Source, *, at_hand: bool
    ) -> None:
        """One file whose octets can be had: record it, then what is in it."""
        kind = _kind(body, names, declared)
        contents = self._contents(kind, place, names, declared, body, at_hand)
        traits = dict(contents.traits)
        if any(member.encrypted for member in contents.members):
            traits["encrypted"] = None
        appended = kind not in _MAY_END_IN_ZIP and zip_directory.is_appended(body)
        if appended:
            traits["archive appended"] = None
        kind = contents.kind
        file = File(
            place.part, place.within, names, declared, kind, tuple(traits), contents.trouble
        )
        self._record(file)
        inside = place.inside(file, kind)
        self._members(contents.members, inside)
        if appended and place.depth < self.limits.depth:
            self._members(zip_directory.look(body, max(self.files, 0)).members, inside)
        if kind == "message":
            self._attached(file, body, inside)

    def _contents(
        self,
        kind: str,
        place: _Place,
        names: tuple[str, ...],
        declared: str,
        body: Source,
        at_hand: bool,
    ) -> Contents:
        page = kind in _PAGES or _is_page(names, declared)
        group = filetypes.KINDS[kind].group if kind else ""
        if not (page or group == "archive" or kind in _DOCUMENTS):
            lost = not kind and body.size > 0 and "archive" in _promises(names)
            return Contents(kind, trouble=_NO_ARCHIVE if lost else "")
        if place.depth >= self.limits.depth:
            self.cut = True
            return Contents(kind, trouble=_TOO_DEEP)
        if self.expanded <= 0 or (kind in ("bzip2", "xz") and not self.limits.slow):
            self.cut = True
            return Contents(kind, trouble=_TOO_MUCH)
        left = max(self.files, 0)
        if kind in ("zip", "7z", "rar", "ole"):
            contents = (
                ole.look(body, left) if kind == "ole" else archives.look(kind, body, names, left)
            )
            if kind == "zip":
                contents = documents.of_zip(contents)
        else:
            if not at_hand:
                self.decoded -= body.size
            if self.decoded < 0:
                self.cut = True
                return Contents(kind, trouble=_TOO_MUCH)
            contents = self._read_whole(kind, names, body, left)
        self.expanded -= contents.expanded
        if len(contents.members) >= left or self.expanded <= 0:
            self.cut = True
        return contents

    def _read_whole(self, kind: str, names: tuple[str, ...], body: Source, left: int) -> Contents:
        if kind == "pdf":
            return documents.pdf(body.whole(), left, max(self.expanded, 0))
        if kind == "rtf":
            return documents.rtf(body.whole())
        if kind == "onenote":
            return documents.onenote(body.whole(), left)
        if kind == "tnef":
            return documents.tnef(body.whole(), left)
        if kind and filetypes.KINDS[kind].group == "archive":
            return archives.look(kind, body, names, left)
        return documents.page(body.whole(), kind)

    def _members(self, members: list[Member], place: _Place) -> None:
        for member in members:
            if not self._counted():
                self._record(File(place.part, place.within, (), trouble=_TOO_MUCH))
                return
            self._member(member, place)

    def _member(self, member: Member, place: _Place) -> None:
        if member.expand is None:
            if member.names or member.trouble:
                self._record(File(place.part, place.within, member.names, trouble=member.trouble))
            return
        kind = filetypes.by_content(member.head)
        if not _wants_look(kind, member.names, place.holder):
            self._record(File(place.part, place.within, member.names, kind=kind))
            return
        if place.depth >= self.limits.depth:
            self.cut = True
            self._record(File(place.part, place.within, member.names, "", kind, (), _TOO_DEEP))
            return
        octets, whole = member.expand(max(self.expanded, 0) + 1)
        self.expanded -= len(octets)
        trouble = _TOO_MUCH if self.expanded < 0 else "" if whole else _DAMAGED
        if trouble:
            self.cut = self.cut or self.expanded < 0
            self._record(File(place.part, place.within, member.names, "", kind, (), trouble))
            return
        self._file(place, member.names, "", source.Plain(octets), at_hand=True)

    def _attached(self, file: File, body: Source, inside: _Place) -> None:
        """A message that is a file, or whose encoding hid it from the tree."""
        if inside.depth > self.limits.depth:
            self.cut = True
            self._record(File(file.part, inside.within, (), trouble=_TOO_DEEP))
            return
        self.decoded -= body.size
        if self.decoded < 0:
            self.cut = True
            self._record(File(file.part, inside.within, (), trouble=_TOO_MUCH))
            return
        self.message(mime.parse(body.whole()), file.part, inside.within, inside.depth)


def _is_text(part: Part) -> bool:
    """Whether programs show it as the message's text and offer no file."""
    return (
        part.content_type in ("text/plain", "text/html")
        and part.disposition in ("", "inline")
        and not part.filenames
    )


def _kind(body: Source, names: tuple[str, ...], declared: str) -> str:
    head = body.cut(0, filetypes.HEAD)
    kind = filetypes.by_content(head) if body.size else "empty"
    if kind not in _WEAK:
        return kind
    if body.cut(0x8001, 0x8006) in (b"CD001", b"BEA01", b"NSR02", b"NSR03"):
        return "iso"
    tail = body.cut(body.size - 512, body.size)
    if tail[:4] == b"koly":
        return "dmg"
    if tail[:8] == b"conectix":
        return "vhd"
    extensions = _extensions(names)
    if declared in ("message/rfc822", "message/global") or "eml" in extensions:
        return "message"
    if b"mime-version:" in head[:512].lower():
        return "html"  # a page with its pictures in one file
    if body.size and "archive" in _promises(names) and zip_directory.is_appended(body):
        return "zip"
    return kind


def _is_page(names: tuple[str, ...], declared: str) -> bool:
    return declared in ("text/html", "image/svg+xml", "application/xhtml+xml") or not (
        filenames.PAGES.isdisjoint(_extensions(names))
    )


def _wants_look(kind: str, names: tuple[str, ...], holder: str) -> bool:
    """Whether a member has to be unpacked: its first octets and its name do not tell enough."""
    group = filetypes.KINDS[kind].group if kind else ""
    if group in ("archive", "message") or kind in ("ole", "rtf", "onenote"):
        return True
    if holder in _OFFICE:
        return False
    if kind == "pdf" or kind in _PAGES or _is_page(names, ""):
        return True
    return kind in _WEAK and "eml" in _extensions(names)


def _extensions(names: tuple[str, ...]) -> set[str]:
    return {extension for name in names for extension in filenames.extensions(name)}


def _promises(names: tuple[str, ...]) -> set[str]:
    found = (filenames.PROMISES.get(extension, "") for extension in _extensions(names))
    return {promise for promise in found if promise}


def _from_uu(body: bytes, at: int) -> tuple[bytes, int]:
    """The octets of the lines from there on, and where they end."""
    pieces: list[bytes] = []
    for line, end in _lines(body, at):
        if line in (b"end", b"====", b"`", b""):
            return b"".join(pieces), end
        try:
            pieces.append(binascii.a2b_uu(line))
        except binascii.Error:
            return b"".join(pieces), end
        at = end
    return b"".join(pieces), at


def _lines(body: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    while at < len(body):
        end = body.find(b"\n", at, at + _LONGEST_LINE)
        if end < 0:
            return
        yield body[at:end].rstrip(b"\r"), end + 1
        at = end + 1
