"""What a document may do by itself, and the files inside it: PDF, RTF, OneNote, pages, TNEF, OOXML.

Owns the tokens that are looked for, in linear time. Must not know rendering or policy.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Final

from mailguard.core.files.container import HEAD, Contents, Member, of_span, unzlib
from mailguard.core.mail import encoded_words

_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_ESCAPED_NAME: Final = re.compile(rb"/[A-Za-z]{0,20}+#[0-9A-Fa-f]{2}")
_OBJECTS: Final = re.compile(rb"/(?:ObjStm|EmbeddedFile)\b")
_STREAM: Final = re.compile(rb"stream\r?\n")
_MOST_STREAMS: Final = 2_000
_MOST_ESCAPES: Final = 50_000
_PDF_TRAITS: Final = (
    (b"/JavaScript", "javascript"),
    (b"/Launch", "launch"),
    (b"/Encrypt", "encrypted"),
)
_NOTE_FILE: Final = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")  # MS-ONESTORE 2.6.13
_RENDERING, _TITLE, _OCTETS, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_SMUGGLING: Final = (
    b"createobjecturl",
    b"mssaveoropenblob",
    b"mssaveblob",
    b"activexobject",
    b"wscript.shell",
)
_HANDLERS: Final = re.compile(rb"<script|\bon(?:load|click|error|begin|mouseover)\s{0,9}+=")
_REMOTE: Final = re.compile(rb"attachedtemplate\"[^>]{0,1000}+", re.IGNORECASE)


def pdf(octets: bytes, most: int, expanded: int) -> Contents:
    """Scripts, programs to start, encryption and files, object streams included (ISO 32000-2).

    `expanded`: octets that object streams may have altogether.
    """
    contents = Contents("pdf")
    _tokens(octets, contents)
    for number, found in enumerate(_OBJECTS.finditer(octets)):
        if number == _MOST_STREAMS or len(contents.members) >= most:
            contents.fault("the document holds too much to be looked at")
            break
        opened = _STREAM.search(octets, found.end(), found.end() + 2_048)
        if opened is None:
            continue
        before = octets.rfind(b"obj", max(found.start() - 2_048, 0), found.start())
        deflated = b"Fl" in octets[max(before, 0) : opened.start()]
        if found[0] == b"/EmbeddedFile":
            contents.members.append(_embedded(octets, opened.end(), deflated))
        elif deflated:
            made, _ = unzlib(octets, opened.end(), expanded - contents.expanded)
            contents.expanded += len(made)
            _tokens(made, contents)
            if contents.expanded >= expanded:
                contents.fault("the document holds too much to be looked at")
                break
    return contents


def _embedded(octets: bytes, at: int, deflated: bool) -> Member:
    def expand(most: int) -> tuple[bytes, bool]:
        if deflated:
            return unzlib(octets, at, most)
        end = octets.find(b"endstream", at, at + most + 1)
        return octets[at : end if end >= 0 else at + most], end >= 0

    return Member((), expand(HEAD)[0], expand)


def _tokens(octets: bytes, contents: Contents) -> None:
    if _ESCAPED_NAME.search(octets):  # 7.3.5: /J#53 is /JS
        octets, count = _ESCAPED.subn(lambda m: bytes((int(m[1], 16),)), octets, _MOST_ESCAPES)
        if count == _MOST_ESCAPES:
            contents.fault("the document holds too much to be looked at")
    for token, trait in _PDF_TRAITS:
        if trait not in contents.traits and _stands(token, octets):
            contents.traits[trait] = None


def _stands(token: bytes, octets: bytes) -> bool:
    """Whether the name stands there and is not the beginning of a longer one."""
    at = octets.find(token)
    for _ in range(1_000):
        if at < 0:
            return False
        if not octets[at + len(token) : at + len(token) + 1].isalnum():
            return True
        at = octets.find(token, at + 1)
    return True


def rtf(octets: bytes) -> Contents:
    """Embedded objects: RTF has no other way to run something."""
    contents = Contents("rtf")
    lower = octets.lower()
    if any(token in lower for token in (b"\\objdata", b"\\objupdate", b"\\objautlink")):
        contents.traits["embedded object"] = None
    if b"\\*\\template" in lower and b"http" in lower:
        contents.traits["remote template"] = None
    return contents


def onenote(octets: bytes, most: int) -> Contents:
    """The files put into a section."""
    contents = Contents("onenote")
    at = octets.find(_NOTE_FILE)
    while at >= 0:
        if len(contents.members) >= most:
            contents.fault("the document holds too many files to be looked at")
            break
        size = int.from_bytes(octets[at + 16 : at + 24], "little")
        contents.members.append(of_span(octets, at + 36, at + 36 + size))
        at = octets.find(_NOTE_FILE, at + 36)
    return contents


def page(octets: bytes, kind: str) -> Contents:
    """A web page that makes a file for its reader, a picture with a script, Office's own pages."""
    contents = Contents(kind)
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        octets = octets.replace(b"\0", b"")
    lower = octets.lower()
    if b"<hta:application" in lower:
        contents.kind = "hta"
    if kind == "svg" and _HANDLERS.search(lower):
        contents.traits["script"] = None
    elif b"<script" in lower and any(token in lower for token in _SMUGGLING):
        contents.traits["smuggling"] = None
    if b"qwn0axzltwltz" in lower or b'macrospresent="yes"' in lower:  # ActiveMime in MHTML
        contents.traits["macros"] = None
    return contents


def tnef(octets: bytes, most: int) -> Contents:
    """Outlook's winmail.dat (MS-OXTNEF 2.1.3): its attachments. A title follows or precedes."""
    contents = Contents("tnef")
    names: list[str] = []
    span: tuple[int, int] | None = None
    at = 6
    for _ in range(10 * most):
        if at + 9 > len(octets):
            break
        attribute, length = struct.unpack_from("<2I", octets, at + 1)
        start = at + 9
        if start + length > len(octets):
            contents.fault("the attachment is cut short")
        if attribute == _RENDERING:  # begins an attachment
            _put(octets, span, names, contents)
            names, span = [], None
        elif attribute == _TITLE:
            names.append(
                encoded_words.plain(octets[start : start + min(length, 1_024)].rstrip(b"\0"))
            )
        elif attribute == _PROPERTIES:
            names += _long_names(octets[start : start + min(length, 65_536)])
        elif attribute == _OCTETS:
            span = (start, start + length)
        if len(contents.members) >= most:
            contents.fault("the attachment holds too many files to be looked at")
            return contents
        at = start + length + 2
    _put(octets, span, names, contents)
    return contents


def _put(octets: bytes, span: tuple[int, int] | None, names: list[str], into: Contents) -> None:
    if span is not None:
        shown = tuple(dict.fromkeys(name for name in names if name))
        into.members.append(of_span(octets, *span, shown))


def _long_names(body: bytes) -> list[str]:
    """PidTagAttachLongFilename among an attachment's properties, as a string of either width."""
    found = []
    for tag, codec in ((b"\x1f\x00\x07\x37", "utf-16-le"), (b"\x1e\x00\x07\x37", "cp1252")):
        at = body.find(tag)
        if at >= 0:
            size = int.from_bytes(body[at + 8 : at + 12], "little")
            text = body[at + 12 : at + 12 + min(size, 1_024)].decode(codec, "replace")
            found.append(encoded_words.plain(text.rstrip("\0").encode()))
    return found


def of_zip(contents: Contents) -> Contents:
    """What a ZIP's member names make of it: an Office document, a Java program, a package.

    Macros and templates from elsewhere are found by the parts that Office would read.
    """
    names = {
        name.lower().replace("\\", "/").lstrip("/"): m for m in contents.members for name in m.names
    }
    if "[content_types].xml" in names and "appxmanifest.xml" not in names:
        contents.kind = "ooxml"
    elif "mimetype" in names:
        head = names["mimetype"].head
        contents.kind = "epub" if b"epub" in head else "odf" if b"opendocument" in head else "zip"
    elif "appxmanifest.xml" in names or "appxmetadata/appxbundlemanifest.xml" in names:
        contents.kind = "appx"
    elif "androidmanifest.xml" in names:
        contents.kind = "apk"
    elif "meta-inf/manifest.mf" in names and any(name.endswith(".class") for name in names):
        contents.kind = "jar"
    if contents.kind in ("ooxml", "odf"):
        _office(names, contents)
    return contents


def _office(names: dict[str, Member], contents: Contents) -> None:
    for name in names:
        if name.endswith("vbaproject.bin") or "/macrosheets/" in name:
            contents.traits["macros"] = None
        elif "/activex/" in name and name.endswith(".bin"):
            contents.traits["ActiveX control"] = None
    if contents.kind == "odf" and any(name.startswith(("basic/", "scripts/")) for name in names):
        contents.traits["macros"] = None
    for text in _texts(names, ("[content_types].xml",)):
        if b"vbaproject" in text or b"macroenabled" in text or b"macrosheet" in text:
            contents.traits["macros"] = None
    settings = [name for name in names if name.endswith("settings.xml.rels")]
    for text in _texts(names, settings[:10]):
        if any(b"external" in found[0] for found in _REMOTE.finditer(text)):
            contents.traits["remote template"] = None


def _texts(names: dict[str, Member], wanted: Iterable[str]) -> Iterable[bytes]:
    for name in wanted:
        expand = names[name].expand if name in names else None
        if expand is not None:
            yield expand(262_144)[0].lower()
