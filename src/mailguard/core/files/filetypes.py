"""What a file is, by its first octets (R40).

Owns the kinds and the table of signatures. Must not know names, containers' contents or policy.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

HEAD: Final = 4_096  # octets that `by_content` looks at


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of file: what people call it, and which of the groups below it belongs to."""

    words: str  # "a Windows program"
    group: str  # program, script, archive, document, image, media, text, message, other, empty
    family: str = ""  # kinds that stand for each other under one extension; "": the group


KINDS: Final[dict[str, Kind]] = {
    "pe": Kind("a Windows program", "program"),
    "mz": Kind("a DOS program", "program"),
    "elf": Kind("a Linux program", "program"),
    "mach-o": Kind("a macOS program", "program"),
    "dex": Kind("an Android program", "program"),
    "jar": Kind("a Java program", "program"),
    "apk": Kind("an Android package", "program"),
    "msi": Kind("a Windows installer", "program"),
    "appx": Kind("a Windows package", "program"),
    "rpm": Kind("a Linux package", "program"),
    "deb": Kind("a Linux package", "program"),
    "eicar": Kind("the test file of malware scanners", "program"),
    "lnk": Kind("a Windows shortcut", "program"),
    "chm": Kind("a Windows help file", "program"),
    "iso": Kind("a disk image", "program"),
    "vhd": Kind("a disk image", "program"),
    "dmg": Kind("a disk image", "program"),
    "flash": Kind("a Flash program", "program"),
    "shebang": Kind("a script", "script"),
    "encoded-script": Kind("an encoded script", "script"),
    "batch": Kind("a batch file", "script"),
    "registry": Kind("a registry file", "script"),
    "hta": Kind("an HTML application", "script"),
    "wsf": Kind("a Windows script", "script"),
    "applescript": Kind("a compiled AppleScript", "script"),
    "zip": Kind("a ZIP archive", "archive"),
    "gzip": Kind("a gzip archive", "archive"),
    "bzip2": Kind("a bzip2 archive", "archive"),
    "xz": Kind("an xz archive", "archive"),
    "tar": Kind("a tar archive", "archive"),
    "7z": Kind("a 7z archive", "archive"),
    "rar": Kind("a RAR archive", "archive"),
    "cab": Kind("a CAB archive", "archive"),
    "ace": Kind("an ACE archive", "archive"),
    "arj": Kind("an ARJ archive", "archive"),
    "lzh": Kind("an LZH archive", "archive"),
    "zstd": Kind("a zstd archive", "archive"),
    "compress": Kind("a compressed file", "archive"),
    "tnef": Kind("Outlook's winmail.dat", "message"),
    "message": Kind("a message", "message"),
    "msg": Kind("an Outlook message", "message"),
    "ole": Kind("an older Office document", "document", "office"),
    "ooxml": Kind("an Office document", "document", "office"),
    "odf": Kind("an OpenDocument file", "document", "office"),
    "rtf": Kind("a rich text document", "document", "office"),
    "onenote": Kind("a OneNote section", "document", "onenote"),
    "pdf": Kind("a PDF", "document", "pdf"),
    "epub": Kind("an e-book", "document", "epub"),
    "html": Kind("a web page", "text"),
    "svg": Kind("an SVG picture", "image"),
    "xml": Kind("an XML file", "text"),
    "text": Kind("plain text", "text"),
    "jpeg": Kind("a JPEG picture", "image"),
    "png": Kind("a PNG picture", "image"),
    "gif": Kind("a GIF picture", "image"),
    "bmp": Kind("a BMP picture", "image"),
    "tiff": Kind("a TIFF picture", "image"),
    "webp": Kind("a WebP picture", "image"),
    "heif": Kind("a HEIF picture", "image"),
    "icon": Kind("an icon", "image"),
    "mp4": Kind("a video", "media"),
    "riff": Kind("a sound or video", "media"),
    "ogg": Kind("a sound or video", "media"),
    "matroska": Kind("a video", "media"),
    "mp3": Kind("a sound", "media"),
    "class": Kind("a Java class", "other"),
    "pgp": Kind("an OpenPGP file", "other"),
    "empty": Kind("an empty file", "empty"),
}

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK00PK\x03\x04", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"{\\rt", "rtf"),
    (b"\x7fELF", "elf"),
    (b"\xfe\xed\xfa\xce", "mach-o"),
    (b"\xfe\xed\xfa\xcf", "mach-o"),
    (b"\xce\xfa\xed\xfe", "mach-o"),
    (b"\xcf\xfa\xed\xfe", "mach-o"),
    (b"dex\n0", "dex"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"!<arch>\ndebian", "deb"),
    (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-", "eicar"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "lnk"),
    (b"ITSF\x03\x00", "chm"),
    (b"vhdxfile", "vhd"),
    (b"conectix", "vhd"),
    (b"FWS", "flash"),
    (b"CWS", "flash"),
    (b"ZWS", "flash"),
    (b"#@~^", "encoded-script"),
    (b"Windows Registry Editor Version", "registry"),
    (b"REGEDIT4", "registry"),
    (b"FasdUAS", "applescript"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
    (b"\x60\xea", "arj"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x9d", "compress"),
    (b"\x78\x9f\x3e\x22", "tnef"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", "onenote"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"OggS", "ogg"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"ID3", "mp3"),
    (b"-----BEGIN PGP ", "pgp"),
)
_BY_FIRST: Final[dict[int, tuple[tuple[bytes, str], ...]]] = {
    first: tuple(pair for pair in _MAGIC if pair[0][0] == first)
    for first in {magic[0] for magic, _ in _MAGIC}
}
_MARKUP: Final = re.compile(
    rb"<(?:!doctype html|html|head|body|script|svg|hta:application|job\b|package\b|scriptlet)"
    rb"|<\?xml|<!--"
)

_IN_TEXT: Final = bytes((*b"\t\n\x0b\f\r\x1b", *range(0x20, 0x7F), *range(0x80, 0x100)))
_BZIP2_BLOCKS: Final = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
_DOUBTFUL: Final[dict[str, Callable[[bytes], bool]]] = {  # so short that more has to fit
    "flash": lambda head: 3 < int.from_bytes(head[3:4]) < 60 and b"\0" in head[3:16],
    "arj": lambda head: 20 <= int.from_bytes(head[2:4], "little") <= 2_600 and b"\0" in head[4:12],
    "bzip2": lambda head: head[4:10] in _BZIP2_BLOCKS,
    "icon": lambda head: 0 < int.from_bytes(head[4:6], "little") < 100 and head[9:10] == b"\0",
}


def by_content(head: bytes) -> str:
    """The kind that a file's first octets say it is, a key of `KINDS`; "" for none."""
    if not head:
        return ""
    for magic, kind in _BY_FIRST.get(head[0], ()):
        if head.startswith(magic):
            fits = _DOUBTFUL.get(kind)
            return kind if fits is None or fits(head) else ""
    if head[:2] in (b"MZ", b"ZM"):
        return _mz(head)
    if head[:4] == b"\xca\xfe\xba\xbe":
        # Both a Mach-O with few architectures and a Java class, whose version is above 44.
        return "mach-o" if int.from_bytes(head[4:8], "big") < 40 else "class"
    if head[:4] == b"RIFF":
        return "webp" if head[8:12] == b"WEBP" else "riff"
    if head[4:8] == b"ftyp":
        return "heif" if head[8:12] in (b"heic", b"heix", b"mif1", b"avif") else "mp4"
    if head[257:262] == b"ustar":
        return "tar"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head[7:14] == b"**ACE**":
        return "ace"
    if head[2:5] == b"-lh" and head[6:7] == b"-":
        return "lzh"
    if head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xf3", b"\xf2"):
        return "mp3"
    return _by_text(head)


def _mz(head: bytes) -> str:
    """Text may begin with MZ as well; a program's header has plausible counts (pages, memory)."""
    if len(head) < 28:
        return ""
    at = int.from_bytes(head[0x3C:0x40], "little")
    if head[at : at + 4] == b"PE\0\0" or head[at : at + 2] in (b"NE", b"LE", b"LX"):
        return "pe"
    last_page, pages, _, header = struct.unpack_from("<4H", head, 2)
    if b"\0" in head[:64] and last_page <= 512 and pages and header < 0x1000:
        return "pe" if at >= HEAD else "mz"
    return ""


def _by_text(head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16: enough for what is ASCII in it
        head = head[2:].replace(b"\0", b"")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0 \t\r\n\x0c")
    if text.startswith(b"%PDF-"):
        return "pdf"
    start = text[:1_024].lower()
    if start.startswith(b"#!") and not start.startswith(b"#!rnews"):
        return "shebang"
    if start.startswith((b"@echo off", b"@echo on", b"@rem ")):
        return "batch"
    for magic, kind in (
        (b"windows registry editor version", "registry"),
        (b"regedit4", "registry"),
    ):
        if start.startswith(magic):
            return kind
    if start.startswith(b"<") and _MARKUP.match(start):
        return _markup(start)
    if b"%pdf-" in start:  # RFC 8118: readers accept it within the first 1,024 octets
        return "pdf"
    return "text" if text and not text[:HEAD].translate(None, _IN_TEXT) else ""


def _markup(start: bytes) -> str:
    if b"<hta:application" in start:
        return "hta"
    if start.startswith((b"<job", b"<package", b"<scriptlet")) or b"<scriptlet" in start:
        return "wsf"
    if b"<svg" in start:
        return "svg"
    if start.startswith(b"<?xml") and b"<html" not in start:
        return "xml"
    return "html"


def words_of(kind: str) -> str:
    """What people call it."""
    return KINDS[kind].words if kind in KINDS else "a file"
