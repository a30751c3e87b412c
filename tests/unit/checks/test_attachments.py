"""What is not let through among attachments, by true type (R40)."""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import struct
import zipfile
from typing import Any

import pytest
from tests.support import made_files as made
from tests.support.made_files import JPEG, PDF, PE, gzipped, message, office, ole, tarred, zipped

from mailguard.checks.attachments import Attachments, AttachmentsSettings
from mailguard.core.decision.facts import Dkim, Unavailable
from mailguard.core.decision.policy import FindingType
from mailguard.core.mail.transaction import Role

CHECK = Attachments()
TEXT = b"Dear parents,\r\nthe museum is open on Friday.\r\n"
HTML = b"<!DOCTYPE html><html><body>%s</body></html>"
SMUGGLER = HTML % b"<script>var b = new Blob([x]); a.href = URL.createObjectURL(b);</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg">%s</svg>'
EML = b"From: a@example.net\r\nSubject: Inner\r\nMIME-Version: 1.0\r\n"
VBA = ole(("dir", b""), ("_VBA_PROJECT", b""), storages=("VBA",))
TEMPLATE = (
    b'<Relationships><Relationship Id="1" Type="http://schemas.openxmlformats.org/officeDocument/'
    b'2006/relationships/attachedTemplate" Target="http://192.0.2.9/t" TargetMode="External"/>'
)
XLM = made.biff((0x809, bytes(8)), (0x85, struct.pack("<IBB", 0, 0, 1) + b"\1\0A"), (0x0A, b""))
PLAIN_XLS = made.biff((0x809, bytes(8)), (0x85, bytes(6) + b"\1\0A"), (0x0A, b""))
LOCKED_XLS = made.biff((0x809, bytes(8)), (0x2F, bytes(6)), (0x0A, b""))
INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")
EXE, LOST = "executable", "unscannable"
ANY, ZIP = "application/octet-stream", "application/zip"
DOC, XLS = "application/msword", "application/vnd.ms-excel"
JAR = zipped(("META-INF/MANIFEST.MF", b"x"), ("A.class", made.CLASS))
APPX = zipped(("AppxManifest.xml", b"x"), ("[Content_Types].xml", b"x"))
REGISTRY = b"\xff\xfe" + "Windows Registry Editor Version 5.00".encode("utf-16-le")
PACKAGED = ole(("\1Ole10Native", made.packaged("run.exe", PE)))
MACROS = office(("word/vbaProject.bin", VBA))
ODT = (
    ("mimetype", b"application/vnd.oasis.opendocument.text"),
    ("Basic/script-lc.xml", b"<x/>"),
)
EPUB = zipped(("mimetype", b"application/epub+zip"), ("a.xhtml", HTML % b""))
NOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(40)
NOTE_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<QIQ", len(PE), 0, 0)
LOCKED_DOC = ole(("WordDocument", bytes(11) + b"\1" + bytes(8)))
LOCKED_PDF = PDF.replace(b"trailer <<", b"trailer <</Encrypt 5 0 R ")
BAD_TAR = b"b" + tarred(("a.txt", TEXT))[1:]
TWO = zipped(("a.txt", TEXT), ("b.txt", TEXT))


def _edited(octets: bytes, magic: bytes, at: int, new: bytes) -> bytes:
    """With other octets in the first header of that kind."""
    found = octets.index(magic) + at
    return octets[:found] + new + octets[found + len(new) :]


def _second_local_name(name: bytes) -> bytes:
    """The local header names another file than the directory does."""
    return _edited(zipped(("notes.txt", TEXT)), b"PK\x03\x04", 30, name)


def _overlapping() -> bytes:
    """Both directory entries lead to the one file, as in a bomb without nesting."""
    octets = bytearray(TWO)
    second = octets.rindex(b"PK\x01\x02")
    octets[second + 42 : second + 46] = bytes(4)
    octets[second + 46 : second + 51] = b"a.txt"
    return bytes(octets)


def _unlisted() -> bytes:
    """A program lies before a file that alone is in the directory."""
    hidden = zipped(("run.exe", PE))
    return hidden[: hidden.index(b"PK\x01\x02")] + zipped(("notes.txt", TEXT))


def _two_directories() -> bytes:
    inner = zipped(("run.exe", PE))
    outer = bytearray(zipped(("notes.txt", TEXT)))
    outer[-2:] = struct.pack("<H", len(inner))
    return bytes(outer) + inner


def _matryoshka(depth: int) -> bytes:
    octets, name = PE, "run.exe"
    for _ in range(depth):
        octets, name = zipped((name, octets)), "inner.zip"
    return octets


# name, content type, octets, what is found of mail from outside
FILES: list[tuple[str, str, bytes, list[str]]] = [
    # Programs, by content.
    ("setup.exe", "application/x-msdownload", PE, [EXE]),
    ("report.pdf", "application/pdf", PE, [EXE]),
    ("holiday.jpg", "image/jpeg", PE, [EXE]),
    ("library.dat", ANY, PE, [EXE]),
    ("", ANY, PE, [EXE]),
    ("tool", ANY, made.ELF, [EXE]),
    ("tool", ANY, made.MACH_O, [EXE]),
    ("tool", ANY, made.FAT_MACH_O, [EXE]),
    ("Main.class", "application/java-vm", made.CLASS, []),
    ("classes", ANY, made.DEX, [EXE]),
    ("link", ANY, made.LNK, [EXE]),
    ("manual", ANY, made.CHM, [EXE]),
    ("disc", ANY, made.ISO, [EXE]),
    ("disc.bin", ANY, b"abc" * 400 + b"koly" + bytes(508), [EXE]),
    ("disc.bin", ANY, b"\1\2" * 700 + b"conectix" + bytes(504), [EXE]),
    ("x.deb", ANY, b"!<arch>\ndebian-binary   ", [EXE]),
    ("test.txt", "text/plain", made.EICAR, [EXE]),
    ("a.bin", ANY, ole(class_id=INSTALLER), [EXE]),
    ("game", ZIP, JAR, [EXE]),
    ("game", ZIP, zipped(("AndroidManifest.xml", b"x")), [EXE]),
    ("p", ZIP, APPX, [EXE]),
    # Programs and scripts, by name.
    ("setup.scr", ANY, b"\1\2\3", [EXE]),
    ("SETUP.EXE", ANY, TEXT, [EXE]),
    ("setup.exe. .", ANY, b"\1\2", [EXE, "double-extension"]),
    ("setup.exe\u200b", ANY, b"\1\2", [EXE]),
    ("mail from example.com", "text/plain", TEXT, []),
    ("command.com", ANY, b"\xb4\x09\xba\0\1", [EXE]),
    ("", "application/hta", TEXT, ["script"]),
    ("", "application/x-msdownload", b"\1\2\3", [EXE]),
    ("run.js", "text/javascript", b"WScript.Echo(1)", ["script"]),
    ("run.vbs", "text/plain", TEXT, ["script"]),
    ("run.ps1", "text/plain", TEXT, ["script"]),
    ("run.bat", "text/plain", TEXT, ["script"]),
    ("run.hta", "text/html", HTML % b"", ["script"]),
    ("run.wsf", "text/xml", b"<job><script language='JScript'/></job>", ["script"]),
    # Scripts, by content.
    ("notes", "text/plain", b"#!/bin/sh\nrm x\n", ["script"]),
    ("notes.txt", "text/plain", b"@echo off\r\ndel x\r\n", ["script"]),
    ("notes.txt", "text/plain", REGISTRY, ["script"]),
    ("notes.txt", "text/plain", b"#@~^abc", ["script"]),
    ("a.html", "text/html", b"<html><hta:application id=x></html>", ["script"]),
    ("invoice.html", "text/html", SMUGGLER, ["script"]),
    ("invoice.txt", "text/plain", SMUGGLER, ["script"]),
    ("invoice.html", "text/html", b"\xff\xfe" + SMUGGLER.decode().encode("utf-16-le"), ["script"]),
    ("form.html", "text/html", HTML % b"<script>check()</script>", []),
    ("logo.svg", "image/svg+xml", SVG % b"<path/>", []),
    ("logo.svg", "image/svg+xml", SVG % b"<script>x()</script>", ["script"]),
    ("logo.svg", "image/svg+xml", SVG % b"<g onload='x()'/>", ["script"]),
    # Names that deceive.
    ("invoice.pdf.exe", "application/pdf", PE, [EXE, "double-extension"]),
    ("invoice.pdf      .exe", "application/pdf", PE, [EXE, "double-extension"]),
    ("photo.jpg.html", "text/html", HTML % b"", ["double-extension"]),
    ("annexe\u202egpj.exe", "image/jpeg", PE, [EXE, "double-extension"]),
    ("letter\u202efdp.txt", "text/plain", TEXT, ["double-extension"]),
    ("a.txt:run.exe", "text/plain", PE, [EXE, "double-extension"]),
    ("a.{00021401-0000-0000-C000-000000000046}", "text/plain", TEXT, ["double-extension"]),
    ("report.final.v2.pdf", "application/pdf", PDF, []),
    ("backup.tar.gz", "application/gzip", gzipped(tarred(("a.txt", TEXT))), []),
    # ZIP.
    ("a.zip", ZIP, zipped(("notes.txt", TEXT), ("p/photo.jpg", JPEG)), []),
    ("a.zip", ZIP, zipped(("p/run.exe", TEXT)), [EXE]),
    ("a.zip", ZIP, zipped(("p/photo.jpg", PE)), [EXE]),
    ("a.zip", ZIP, zipped(("p/photo.jpg", PE), method=zipfile.ZIP_STORED), [EXE]),
    ("a.zip", ZIP, _matryoshka(3), [EXE]),
    ("a.zip", ZIP, _matryoshka(7), [LOST]),
    ("a.zip", ZIP, made.locked(("notes.txt", TEXT)), ["encrypted"]),
    ("a.zip", ZIP, made.locked(("run.exe", TEXT)), [EXE, "encrypted"]),
    ("a.zip", ZIP, zipped(("b.zip", made.locked(("a.txt", TEXT)))), ["encrypted"]),
    ("a.zip", ZIP, TWO[:-30], [LOST]),
    ("a.zip", ZIP, b"PK\x03\x04", [LOST]),
    ("a.zip", ZIP, b"\1\2\3\4" * 30, [LOST]),
    ("a.zip", ZIP, zipped(("../../etc/a.txt", TEXT)), ["double-extension"]),
    ("a.zip", ZIP, _second_local_name(b"notes.exe"), [EXE, LOST]),
    ("a.zip", ZIP, _edited(TWO, b"PK\x03\x04", 8, b"\0\0"), [LOST]),
    ("a.zip", ZIP, _edited(TWO, b"PK\x03\x04", 0, b"XXXX"), [LOST]),
    ("a.zip", ZIP, _edited(TWO, b"PK\x05\x06", 10, b"\1\0"), [LOST]),
    ("a.zip", ZIP, _overlapping(), [LOST]),
    ("a.zip", ZIP, _unlisted(), [EXE, LOST]),
    ("a.zip", ZIP, _two_directories(), [EXE, LOST]),
    ("a.zip", ZIP, zipped(("a.txt", TEXT), method=zipfile.ZIP_LZMA), [LOST]),
    ("a.zip", ZIP, zipped(("r.exe", TEXT), method=zipfile.ZIP_BZIP2), [EXE, LOST]),
    ("a.jpg", "image/jpeg", JPEG + zipped(("run.exe", PE)), [EXE, "mismatch"]),
    ("a.zip", ZIP, JPEG + zipped(("run.exe", PE)), [EXE, "mismatch"]),
    ("a.exe", ZIP, PE + zipped(("a.txt", TEXT)), [EXE, "mismatch"]),
    # Other archives.
    ("a.gz", "application/gzip", gzipped(PE), [EXE]),
    ("a.gz", "application/gzip", gzipped(TEXT, "run.vbs"), ["script"]),
    ("a.vbs.gz", "application/gzip", gzipped(TEXT), ["script"]),
    ("a.gz", "application/gzip", gzipped(TEXT)[:10] + b"\xff" * 30, [LOST]),
    ("a.tgz", "application/gzip", gzipped(tarred(("p/tool", made.ELF))), [EXE]),
    ("a.gz", "application/gzip", gzipped(b"") + gzipped(tarred(("tool", made.ELF))), [EXE]),
    ("a.bz2", "application/x-bzip2", bz2.compress(PE), [EXE]),
    ("a.tar.xz", "application/x-xz", lzma.compress(tarred(("a.hta", TEXT))), ["script"]),
    ("a.tar", "application/x-tar", tarred(("a.txt", TEXT), ("x" * 200 + ".exe", TEXT)), [EXE]),
    ("a.tar", "application/x-tar", tarred(("x" * 200 + ".exe", TEXT), format=1), [EXE]),
    ("a.tar", "application/x-tar", tarred(("a.txt", TEXT), ("b.zip", zipped(("c", PE)))), [EXE]),
    ("a.tar", "application/x-tar", BAD_TAR, [LOST]),
    ("a.7z", ANY, made.seven(b"\1\4\6"), [LOST]),
    ("a.7z", ANY, made.seven(b"\x17\6\xf1\7\1"), ["encrypted"]),
    ("a.7z", ANY, made.seven(b"")[:14], [LOST]),
    ("a.rar", ANY, made.rar5("a.txt"), [LOST]),
    ("a.rar", ANY, made.rar5("a.txt", "run.exe"), [EXE, LOST]),
    ("a.rar", ANY, made.rar5("a.txt", locked=True), ["encrypted"]),
    ("a.rar", ANY, made.rar5(hidden=True), ["encrypted"]),
    ("a.rar", ANY, made.rar4("run.exe"), [EXE, LOST]),
    ("a.rar", ANY, made.rar4("a.txt", flags=4), ["encrypted"]),
    ("a.cab", ANY, b"MSCF\0\0\0\0" + bytes(40), [LOST]),
    # Documents.
    ("a.docx", ANY, office(), []),
    ("a.docx", ANY, MACROS, ["macro"]),
    ("a.docx", ANY, office(("word/x.bin", VBA)), ["macro"]),
    ("a.docx", ANY, office(types=made.MACRO_TYPES), ["macro"]),
    ("a.docx", ANY, office(("word/activeX/a.bin", b"x")), ["macro"]),
    ("a.docx", ANY, office(("word/_rels/settings.xml.rels", TEMPLATE)), ["macro"]),
    ("a.xlsx", ANY, office(("xl/macrosheets/sheet1.xml", b"<x/>")), ["macro"]),
    ("a.docx", ANY, office(("word/embeddings/oleObject1.bin", PACKAGED)), [EXE]),
    ("a.docx", ANY, office(("word/embeddings/a.docx", MACROS)), ["macro"]),
    ("a.odt", ANY, zipped(*ODT), ["macro"]),
    ("a.epub", "application/epub+zip", EPUB, []),
    ("a.doc", DOC, ole(("WordDocument", bytes(16))), []),
    ("a.doc", DOC, ole(("WordDocument", bytes(16)), storages=("VBA",)), ["macro"]),
    ("a.doc", DOC, LOCKED_DOC, ["encrypted"]),
    ("a.doc", DOC, VBA[:700], [LOST]),
    ("a.doc", DOC, ole(("\1Ole10Native", made.packaged("x.txt", PE))), [EXE]),
    ("a.docx", ANY, ole(("EncryptedPackage", bytes(16))), ["encrypted"]),
    ("a.xls", XLS, ole(("Workbook", PLAIN_XLS)), []),
    ("a.xls", XLS, ole(("Workbook", XLM)), ["macro"]),
    ("a.xls", XLS, ole(("Workbook", LOCKED_XLS)), ["encrypted"]),
    ("grades.xls", XLS, HTML % b"<table></table>", []),
    ("grades.xls", XLS, b"Name\tGrade\r\n", []),
    ("a.rtf", "application/rtf", b"{\\rtf1 {\\object\\objdata 0105}}", ["macro"]),
    ("a.doc", DOC, b"{\\rtf1 plain}", []),
    ("a.one", "application/onenote", NOTE, []),
    ("a.one", "application/onenote", NOTE + NOTE_FILE + PE, [EXE]),
    ("a.mht", "message/x-mht", b"MIME-Version: 1.0\r\n\r\nQWN0aXZlTWltZQ==", ["macro"]),
    # PDF.
    ("a.pdf", "application/pdf", PDF, []),
    ("a.pdf", "application/pdf", b"\r\n \n" + PDF, []),
    ("a.pdf", "application/pdf", made.pdf(b"<</S /JavaScript /JS (x)>>"), ["pdf-script"]),
    ("a.pdf", "application/pdf", made.pdf(b"<</S /J#61vaScript>>"), ["pdf-script"]),
    ("a.pdf", "application/pdf", made.pdf(b"<</S /JavaScripted>>"), []),
    ("a.pdf", "application/pdf", made.pdf(made.object_stream(b"/S /JavaScript")), ["pdf-script"]),
    ("a.pdf", "application/pdf", made.pdf(b"<</S /Launch /F (x)>>"), ["macro"]),
    ("a.pdf", "application/pdf", LOCKED_PDF, ["pdf-encrypted"]),
    ("a.pdf", "application/pdf", made.pdf(made.object_stream(PE, b"EmbeddedFile")), [EXE]),
    # Messages.
    ("fwd.eml", ANY, message(PE, "run.exe"), [EXE]),
    ("fwd", "message/rfc822", message(PE, "run.exe"), [EXE]),
    ("fwd.eml", ANY, EML + b"\r\nJust words.\r\n", []),
    ("a.zip", ZIP, zipped(("fwd.eml", message(PE, "a.pdf"))), [EXE]),
    ("winmail.dat", "application/ms-tnef", made.tnef("run.exe", PE), [EXE]),
    ("winmail.dat", "application/ms-tnef", made.tnef("a.zip", zipped(("a.js", TEXT))), ["script"]),
    ("winmail.dat", "application/ms-tnef", made.tnef("a.pdf", PDF), []),
    # Something else than its name says.
    ("a.png", "image/png", JPEG, []),
    ("a.png", "image/png", PDF, ["mismatch"]),
    ("a.pdf", "application/pdf", HTML % b"", ["mismatch"]),
    ("a.pdf", "application/pdf", b"\1\2\3\4", ["mismatch"]),
    ("", "image/png", zipped(("a.txt", TEXT)), ["mismatch"]),
    ("a.txt", "text/plain", b"MZ are the first letters of this text.\r\n", []),
    ("empty.pdf", "application/pdf", b"", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "declared", "octets", "expected"),
    [pytest.param(*each, id=f"{n}-{each[0] or 'unnamed'}") for n, each in enumerate(FILES)],
)
def test_table(
    build: Any, codes: Any, name: str, declared: str, octets: bytes, expected: list[str]
) -> None:
    assert codes(CHECK, build(message(octets, name, declared))) == expected


def test_the_table_is_long() -> None:
    assert len(FILES) >= 80


@pytest.mark.parametrize(
    "disposition",
    [
        b'attachment; filename="=?utf-8?B?cnVuLmV4ZQ==?="',  # RFC 2047 where it does not belong
        b"attachment; filename*=utf-8''run%2Eexe",
        b"attachment; filename*0=run; filename*1=.exe",
        b"attachment; filename*0*=utf-8''run; filename*1=.exe",
        b"attachment; filename=\"a.txt\"; filename*=utf-8''run.exe",
        b"attachment; filename*=utf-8''a.txt; filename=\"run.exe\"",
        b'attachment; filename="a.txt"; filename="run.exe"',
        b'attachment;\r\n filename="run.\\exe"',
        b"attachment; filename=run.exe ; x",
    ],
)
def test_every_reading_of_a_name_counts(build: Any, codes: Any, disposition: bytes) -> None:
    case = build(message(b"\1\2\3", declared="application/x", disposition=disposition))
    assert codes(CHECK, case) == [EXE]


def test_the_name_in_content_type_counts(build: Any, codes: Any) -> None:
    case = build(message(b"\1\2", "a.txt", 'text/plain; name="run.exe"'))
    assert codes(CHECK, case) == [EXE]


@pytest.mark.parametrize("encoding", ["binary", "8bit", "x-unknown"])
def test_unencoded_octets_are_seen(build: Any, codes: Any, encoding: str) -> None:
    raw = message(made.EICAR, "a.txt", "text/plain", encoding=encoding)
    assert codes(CHECK, build(raw)) == [EXE]


def test_base64_is_read_as_programs_do(build: Any, codes: Any) -> None:
    """Padding inside, foreign characters, odd line lengths."""
    raw = message(b"", "a.zip", "application/zip")
    octets = zipped(("run.exe", PE))
    pieces = [base64.b64encode(octets[:100]), b"!" + base64.b64encode(octets[100:])]
    body = b"\r\n".join(pieces)
    at = raw.index(b"base64\r\n\r\n") + 10
    assert codes(CHECK, build(raw[:at] + body + raw[at:])) == [EXE]


def test_a_text_that_is_a_program_or_holds_one(build: Any, codes: Any) -> None:
    lines = b"".join(binascii.b2a_uu(PE[at : at + 45]) for at in range(0, len(PE), 45))
    head = b"From: a@example.com\r\n\r\n"
    uu = (
        head
        + b"See below.\r\n\r\nbegin 644 a.txt\r\n"
        + lines.replace(b"\n", b"\r\n")
        + b"`\r\nend\r\n"
    )
    assert codes(CHECK, build(uu)) == [EXE]
    assert codes(CHECK, build(head + b"We\r\nbegin 644 things at noon\r\n")) == []
    assert codes(CHECK, build(head + made.EICAR)) == [EXE]
    typed = b"From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert codes(CHECK, build(typed + base64.encodebytes(PE).replace(b"\n", b"\r\n"))) == [EXE]


def test_attached_messages_are_walked_into(build: Any, codes: Any) -> None:
    inner = message(PE, "run.exe")
    raw = message(inner, "fwd.eml", "message/rfc822", encoding="8bit").replace(b"cut", b"OUT", 1)
    raw = raw.replace(b"--cut\r\n", b"--OUT\r\n", 2).removesuffix(b"--cut--\r\n") + b"--OUT--\r\n"
    case = build(raw)
    assert any(part.content_type == "message/rfc822" for part in case.transaction.message.parts)
    assert codes(CHECK, case) == [EXE]


def test_evidence_names_the_file_and_where_it_lies(build: Any) -> None:
    octets = zipped(("b.zip", zipped(*[(f"run{n}\u202excod.exe", PE) for n in range(5)])))
    case = build(message(octets, "a.zip"))
    found = CHECK.examine(case.transaction, case.facts, AttachmentsSettings()).findings
    assert found[0].evidence.startswith(
        '"run0[U+202E]xcod.exe" in "b.zip" in "a.zip": it is a Windows program; "run1'
    )
    assert found[0].evidence.endswith("; and 2 more")


@pytest.mark.parametrize(
    ("octets", "name", "expected"),
    [
        (PE, "run.exe", [EXE]),
        (TEXT, "run.js", ["script"]),
        (MACROS, "plan.docm", []),
        (made.locked(("a.txt", TEXT)), "a.zip", []),
        (made.rar5("a.txt"), "a.rar", ["unscannable"]),
    ],
)
def test_forwarding_inside_is_blocked_too(
    build: Any, codes: Any, octets: bytes, name: str, expected: list[str]
) -> None:
    raw = message(octets, name, sender="jane.doe@example.org")
    case = build(raw, role=Role.SUBMISSION, account="jdoe")
    assert codes(CHECK, case) == expected
    assert codes(CHECK, case, macro="everybody", encrypted="everybody") != []
    everything = dict.fromkeys(
        ("executable", "script", "unscannable", "macro", "encrypted"), "nobody"
    )
    assert codes(CHECK, case, **everything) == []


def test_known_sources_are_single_and_proven(build: Any, codes: Any) -> None:
    raw = message(PE, "invoice.pdf.exe")
    known = {"known_senders": ("Rosa.Alder@EXAMPLE.com",)}
    signed = (Dkim("pass", "example.com"),)
    assert codes(CHECK, build(raw, dkim=signed), **known) == ["double-extension"]
    assert codes(CHECK, build(raw), **known) == [EXE, "double-extension"]
    other = raw.replace(b"rosa.alder@", b"ben.poplar@", 1)
    assert codes(CHECK, build(other, dkim=signed), **known) == [EXE, "double-extension"]
    own = message(PE, "run.exe", sender="jane.doe@example.org")
    case = build(own, role=Role.SUBMISSION, account="jdoe")
    assert codes(CHECK, case, known_senders=("jane.doe@example.org",)) == []
    foreign = build(own, role=Role.SUBMISSION, account="tmoss")
    assert codes(CHECK, foreign, known_senders=("jane.doe@example.org",)) == [EXE]


@pytest.mark.parametrize(
    "sender", ["example.com", "@example.com", "*@example.com", "a@b", "a b@c.test"]
)
def test_known_sources_are_no_domains_or_patterns(sender: str) -> None:
    with pytest.raises(ValueError, match="no single address"):
        AttachmentsSettings(known_senders=(sender,))


def test_allowed_extensions(build: Any, codes: Any) -> None:
    homework = zipped(("game.js", TEXT), ("tool.sh", b"#!/bin/sh\n"), ("run.vbs", TEXT))
    case = build(message(homework, "a.zip"))
    verdict = CHECK.examine(
        case.transaction, case.facts, AttachmentsSettings(allowed_extensions=("js", "sh"))
    )
    assert [f.evidence for f in verdict.findings] == [
        '"run.vbs" in "a.zip": it is a script by its name (.vbs)'
    ]
    assert codes(CHECK, build(message(PE, "game.js")), allowed_extensions=("js",)) == [EXE]
    with pytest.raises(ValueError, match="docx is no extension"):
        AttachmentsSettings(allowed_extensions=("docx",))


def test_spammail_is_judged_unless_exempt(build: Any, codes: Any) -> None:
    both = ("spammail@example.org", "tim.moss@example.org")
    case = build(message(PE, "run.exe"), recipients=both)
    (found,) = CHECK.examine(case.transaction, case.facts, AttachmentsSettings()).findings
    assert found.recipients == both
    exempt = AttachmentsSettings(exempt_spammail=True)
    (found,) = CHECK.examine(case.transaction, case.facts, exempt).findings
    assert found.recipients == ("tim.moss@example.org",)
    alone = build(message(PE, "run.exe"), recipients=("spammail@example.org",))
    assert codes(CHECK, alone, exempt_spammail=True) == []


def test_unread_is_an_error_not_a_pass(build: Any) -> None:
    case = build(message(PE, "run.exe"), reading=Unavailable("killed"))
    verdict = CHECK.examine(case.transaction, case.facts, AttachmentsSettings())
    assert verdict.error == "the attachments were not read: killed"


@pytest.mark.parametrize("kind", CHECK.findings, ids=lambda kind: kind.code)
def test_nothing_is_waived_by_the_unblocked_list(kind: FindingType) -> None:
    """R37: it never lets malware pass."""
    assert not kind.waivable
    assert kind.advice and kind.rules == ("R40",)
