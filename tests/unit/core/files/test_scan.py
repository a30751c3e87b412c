"""The budgets of looking into attachments, and what they cost."""

from __future__ import annotations

import bz2
import struct
import zipfile
import zlib

import pytest
from tests.support import cost
from tests.support import made_files as made
from tests.support.made_files import JPEG, PE, gzipped, message, ole, tarred, zipped

from mailguard.core.files import scan, source
from mailguard.core.files.file import File
from mailguard.core.files.scan import DEFAULT, LIGHT, ScanLimits
from mailguard.core.mail import mime, transfer_encoding

ZEROS = bytes(60_000_000)
PACKED = zlib.compress(bytes(DEFAULT.expanded), 1)


def unpack() -> None:
    """The reference of what a bomb may cost: as many octets unpacked as a message's files may."""
    zlib.decompress(PACKED)


def look(
    octets: bytes, name: str = "a.zip", limits: ScanLimits = DEFAULT
) -> tuple[tuple[File, ...], bool]:
    return scan.look(mime.parse(message(octets, name)), limits)


def troubles(files: tuple[File, ...]) -> list[str]:
    return [file.trouble for file in files if file.trouble]


def test_a_file_is_told_with_its_place() -> None:
    files, cut = look(zipped(("in/photo.jpg", JPEG), ("b.zip", zipped(("run", PE)))))
    assert not cut
    assert files == (
        File("2", (), ("a.zip",), "application/octet-stream", "zip"),
        File("2", ("a.zip",), ("in/photo.jpg",), kind="jpeg"),
        File("2", ("a.zip",), ("b.zip",), kind="zip"),
        File("2", ("a.zip", "b.zip"), ("run",), kind="pe"),
    )


def test_a_message_without_files_has_none() -> None:
    assert scan.look(mime.parse(b"From: a@b.test\r\n\r\nWords.\r\n")) == ((), False)


def test_every_name_of_a_member_counts() -> None:
    octets = zipped(("notes.txt", b"x"))
    at = octets.index(b"notes.txt")
    (_, inner), _ = look(octets[:at] + b"\xfcotes.exe" + octets[at + 9 :])
    assert inner.names == ("notes.txt", "üotes.exe", "ⁿotes.exe")


def test_members_lying_about_their_size_are_bounded() -> None:
    """The directory says ten octets; sixty million come out."""
    bomb = bytearray(zipped(("b.zip", b"PK\x03\x04" + ZEROS)))
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        found = bomb.index(magic) + at
        bomb[found : found + 4] = struct.pack("<I", 10)
    files, cut = look(bytes(bomb))
    assert cut
    assert troubles(files) == ["there is too much in it to be looked at"]
    cost.assert_ratio(lambda: look(bytes(bomb)), unpack, most=10)


def test_a_member_that_says_it_is_a_bomb_is_not_expanded() -> None:
    octets = zipped(("zeros.bin", ZEROS))
    files, cut = look(octets)
    assert not cut
    assert troubles(files) == ["it expands to 60000000 octets"]


def test_a_packed_bomb() -> None:
    files, cut = look(zlib.compress(tarred(("zeros", ZEROS)), 1, wbits=31), "a.gz")
    assert cut
    assert troubles(files) == ["there is too much in it to be looked at"]


def test_a_bomb_of_many_levels() -> None:
    """As 42.zip: sixteen in each of six levels would be sixteen million files."""
    octets = bytes(100_000)
    name = "zeros.bin"
    for _ in range(6):
        octets = zipped(*[(f"{n}{name}", octets) for n in range(16)])
        name = ".zip"
    files, cut = look(octets)
    assert cut
    assert len(files) <= DEFAULT.files + 10  # and one for each archive that was left
    assert "it lies too deep to be looked into" in troubles(files)
    assert "there is too much in it to be looked at" in troubles(files)
    cost.assert_ratio(lambda: look(octets), unpack, most=10)


def test_a_bomb_whose_files_lie_on_each_other() -> None:
    """One packed file that two thousand directory entries share."""
    one = zipped(("x", bytes(3_000_000)))
    start = one.index(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    entry = one[start:end]
    bomb = one[:start] + entry * 2_000
    bomb += b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 2_000, 2_000, len(entry) * 2_000, start, 0)
    files, _ = look(bomb)
    assert files[0].trouble == "files in the archive lie on each other"
    cost.assert_ratio(lambda: look(bomb), unpack, most=2)


def test_too_many_members() -> None:
    octets = zipped(*[(f"{n}.txt", b"") for n in range(2_100)])
    files, cut = look(octets)
    assert cut
    assert files[0].trouble == "the archive holds too many files to be looked at"
    many = [(f"{n}.txt", b"") for n in range(2_100)]
    files, cut = look(tarred(*many), "a.tar")
    assert cut
    assert files[0].trouble == "the archive holds too many files to be looked at"


def test_the_budget_is_the_messages_not_an_archives() -> None:
    three = zipped(*[(f"{n}.zip", zipped(("a", b""), ("b", b""))) for n in range(3)])
    files, cut = look(three, limits=ScanLimits(files=6))
    assert cut
    assert "there is too much in it to be looked at" in troubles(files)
    assert look(three, limits=ScanLimits(files=10))[1] is False


def test_depth_counts_archives_documents_and_messages() -> None:
    inner = message(zipped(("b.zip", zipped(("run", PE)))), "a.zip")
    octets = zipped(("fwd.eml", inner))
    assert [f.kind for f in look(octets)[0]] == ["zip", "message", "zip", "zip", "pe"]
    files, cut = look(octets, limits=ScanLimits(depth=3))
    assert cut
    assert troubles(files) == ["it lies too deep to be looked into"]


def test_what_a_light_look_reaches_is_what_the_whole_does() -> None:
    for octets in (zipped(("a.txt", b"x"), ("run", PE)), ole(storages=("VBA",)), made.pdf(b"x")):
        light, cut = look(octets, limits=LIGHT)
        assert not cut
        assert light == look(octets)[0]
    stored = zipped(("zeros", bytes(2_000_000)), method=zipfile.ZIP_STORED)
    assert look(zipped(("b.zip", stored)), limits=LIGHT)[1]
    assert look(b"%PDF-" + bytes(5_000_000), "a.pdf", LIGHT)[1]
    assert look(bz2.compress(b"x"), "a.bz2", LIGHT)[1]


def test_a_loop_of_sectors_ends() -> None:
    honest = ole(("WordDocument", bytes(5_000)))
    octets = bytearray(honest)
    table = 512 * (1 + struct.unpack_from("<I", octets, 76)[0])
    for sector in range(20):
        struct.pack_into("<I", octets, table + 4 * sector, 0)
    loop = bytes(octets)
    cost.assert_ratio(lambda: look(loop, "a.doc"), lambda: look(honest, "a.doc"), most=10)


def test_streams_named_by_many_object_streams_are_bounded() -> None:
    packed = zlib.compress(bytes(40_000_000), 9)
    octets = b"%PDF-1.7\n" + b"/ObjStm /Fl " * 150 + b"stream\n" + packed
    files, cut = look(octets, "a.pdf")
    assert cut
    assert troubles(files) == ["the document holds too much to be looked at"]
    cost.assert_ratio(lambda: look(octets, "a.pdf"), unpack, most=10)


_ONENOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
_OBJECT = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + b"\xff" * 20
HOSTILE = [
    ("a.pdf", cost.growing(b"/EmbeddedFile stream\n", 100_000, b"%PDF-1.7\n")),
    ("a.pdf", cost.growing(b"/JavaScripts /#4a", 100_000, b"%PDF-1.7\n")),
    ("a.zip", cost.growing(b"PK\x03\x04", 200_000, after=zipped(("a", b"")))),
    ("a.zip", cost.growing(b"PK\x05\x06", 200_000)),
    ("a.gz", cost.growing(gzipped(b""), 50_000)),
    ("a.one", cost.growing(_OBJECT, 40_000, _ONENOTE)),
    ("winmail.dat", cost.growing(bytes(11), 100_000, b"\x78\x9f\x3e\x22\0\0")),
    ("a.rtf", cost.growing(b"\\objdat", 200_000, b"{\\rtf1")),
    ("a.svg", cost.growing(b" onload", 200_000, b"<svg><script")),
    ("a.html", cost.growing(b"<script>", 200_000, b"<html>")),
    ("a.tar", cost.growing(b"\0", 2_000_000, bytes(257) + b"ustar")),
    ("a.7z", cost.growing(b"\xff", 2_000_000, b"7z\xbc\xaf\x27\x1c")),
    ("a.rar", cost.growing(b"\1", 2_000_000, b"Rar!\x1a\x07\x01\0")),
    ("a.rar", cost.growing(b"\x74\1", 500_000, b"Rar!\x1a\x07\x00")),
    ("a.doc", cost.growing(b"\1\0\0\0", 400_000, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
]


@pytest.mark.parametrize(("name", "octets"), HOSTILE, ids=str)
def test_hostile_files_are_linear(name: str, octets: cost.Growing[bytes]) -> None:
    mail = octets.then(lambda made: mime.parse(message(made, name)))
    cost.assert_linear(mail, scan.look)


@pytest.mark.parametrize("times", [200, 15_000])
@pytest.mark.parametrize("unit", ["x", ".pdf"])
def test_long_names_are_linear(unit: str, times: int) -> None:
    name = cost.growing(unit, times, "a", ".exe")
    cost.assert_linear(name.then(lambda name: mime.parse(message(b"x", name))), scan.look)


@pytest.mark.parametrize("unit", [b"begin 644 x\r\n", b"\nbegin", b"begin 644 x\r\nM"])
def test_uuencoded_texts_are_linear(unit: bytes) -> None:
    mail = cost.growing(unit, 100_000, b"From: a@b.test\r\n\r\n").then(mime.parse)
    cost.assert_linear(mail, scan.look)


def test_a_mail_without_attachments_costs_next_to_nothing() -> None:
    row = b"<p>The museum is open on Friday, and lunch is at noon for all of us.</p>\r\n"
    raw = (
        b"From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=c"
        b"\r\n\r\n--c\r\n\r\nWords.\r\n--c\r\nContent-Type: text/html\r\n\r\n" + row * 160
    )
    raw += b"--c--\r\n"
    parsed = mime.parse(raw)
    cost.assert_ratio(lambda: scan.look(parsed), lambda: mime.parse(raw), most=0.3)


def test_two_megabytes_are_not_decoded_for_their_directory() -> None:
    parsed = mime.parse(message(zipped(("a.jpg", JPEG * 2_000), method=zipfile.ZIP_STORED)))
    body = parsed.parts[-1]
    cost.assert_ratio(lambda: scan.look(parsed), lambda: mime.decoded_body(parsed, body), most=0.8)


def test_base64_by_offset_is_base64_as_a_whole() -> None:
    octets = bytes(range(256)) * 5
    for length in (0, 1, 2, 3, 4, 75, 76, 77, 1_000):
        body = transfer_encoded(octets[:length])
        read = source.of_body(body, "base64")
        assert read.size == length
        assert read.whole() == transfer_encoding.decode(body, "base64") == octets[:length]
        for start in range(-3, length + 4, 7):
            for end in (start - 1, start, start + 1, start + 50, length + 9):
                expected = octets[:length][max(start, 0) : max(end, 0)]
                assert read.cut(start, end) == expected
    odd = source.of_body(b"YWJj=ZGVm", "base64")
    assert odd.whole() == transfer_encoding.decode(b"YWJj=ZGVm", "base64") == b"abcdef"


def transfer_encoded(octets: bytes) -> bytes:
    raw = message(octets)
    part = mime.parse(raw).parts[-1]
    return raw[part.body_start : part.end]
