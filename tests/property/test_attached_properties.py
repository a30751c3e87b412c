"""Whatever comes as an attachment is looked at without an error, within its budgets."""

from __future__ import annotations

import base64
import bz2
import lzma

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import cost
from tests.support import made_files as made
from tests.support.made_files import PE, gzipped, message, office, ole, tarred, zipped

from mailguard.core.files import filenames, filetypes, scan, source
from mailguard.core.files.file import File
from mailguard.core.files.filetypes import KINDS
from mailguard.core.files.scan import LIGHT
from mailguard.core.mail import mime, safe_text

_VBA = ole(("dir", b"x"), ("\1Ole10Native", made.packaged("a.txt", b"x")), storages=("VBA",))
SEEDS = (
    zipped(("a.txt", b"words"), ("b/run.exe", PE), ("c.zip", zipped(("d.js", b"x")))),
    made.locked(("a.txt", b"words")),
    office(("word/vbaProject.bin", _VBA)),
    _VBA,
    ole(("PowerPoint Document", b"\x10\0\x11\x10" + bytes(40)), ("Workbook", made.biff((9, b"x")))),
    ole(("__substg1.0_37010102", PE), storages=("__attach_version1.0_#00000000",)),
    tarred(("a.txt", b"words"), ("y" * 150, b"words")),
    gzipped(tarred(("a.txt", b"words"))),
    bz2.compress(b"words"),
    lzma.compress(b"words"),
    made.rar5("a.txt", "b.exe", locked=True),
    made.rar4("a.txt"),
    made.seven(b"\1\4\6"),
    made.pdf(made.object_stream(b"<</S /JavaScript>>"), made.object_stream(PE, b"EmbeddedFile")),
    made.tnef("a.zip", zipped(("a.txt", b"words"))),
    message(zipped(("a.txt", b"words")), "a.zip"),
)
NAMES = st.sampled_from(("a.zip", "a.docx", "a.eml", "a.html", "a.pdf", "a.7z", "a.tgz", "", "a"))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A made file with octets changed, cut out or put twice."""
    octets = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(octets)))
        length = draw(st.integers(0, 8))
        way = draw(st.sampled_from(("write", "cut", "double", "ones")))
        if way == "write":
            octets[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif way == "ones":
            octets[at : at + 4] = b"\xff" * 4
        elif way == "cut":
            del octets[at : at + 16 * length]
        else:
            octets[at:at] = octets[at : at + 16 * length]
    return bytes(octets)


def _ordinary() -> None:
    """The reference: all that honest files cost together."""
    for octets in SEEDS:
        scan.look(mime.parse(message(octets, "a.zip")), LIGHT)


_MOST = 20  # times the reference: octets of a LIGHT look unpacked from nothing at all
_QUICK = cost.cpu(_ordinary)


def _holds(raw: bytes) -> None:
    def looked() -> tuple[tuple[File, ...], bool]:
        return scan.look(mime.parse(raw), LIGHT)

    if cost.cpu(looked) > _MOST * _QUICK:  # or another's work beside us: ask again
        cost.assert_ratio(looked, _ordinary, _MOST)
    files, cut = looked()
    assert len(files) <= 3 * LIGHT.files
    for file in files:
        assert file.kind in KINDS or not file.kind
        assert len(file.within) <= LIGHT.depth + 1
        for name in (*file.names, *file.within):
            assert not any(c in name for c in "\r\n\0\x1b")
    if not cut:
        assert files == scan.look(mime.parse(raw))[0]


@given(st.binary(max_size=400), NAMES)
@settings(max_examples=150, deadline=None)
def test_arbitrary_octets(octets: bytes, name: str) -> None:
    _holds(message(octets, name))


@given(mutated(), NAMES, st.sampled_from(("base64", "binary")))
@settings(max_examples=300, deadline=None)
def test_mutated_files(octets: bytes, name: str, encoding: str) -> None:
    _holds(message(octets, name, encoding=encoding))


@given(st.sampled_from(SEEDS), st.integers(0, 6_000))
@settings(max_examples=150, deadline=None)
def test_files_cut_short(octets: bytes, length: int) -> None:
    _holds(message(octets[:length], "a.zip"))


@given(st.binary(max_size=200))
def test_a_magic_is_not_enough_to_raise(octets: bytes) -> None:
    for magic in (b"", b"MZ", b"\xca\xfe\xba\xbe", b"\0\0\1\0", b"BM", b"\x60\xea", b"RIFF"):
        assert filetypes.by_content(magic + octets) in (*KINDS, "")


@given(st.text(max_size=100))
def test_names_are_read_whatever_they_hold(name: str) -> None:
    for extension in filenames.extensions(name):
        assert extension and len(extension) <= 20 and "/" not in extension
    shown = safe_text.file_name(name)
    assert len(shown) <= 80 + 8 * 80
    assert not set(shown) & set("\r\n\x1b\u202e\u2028\u2066\x00\x85")
    assert filenames.deceptions(name + ".pdf.exe")


@given(st.binary(max_size=300), st.integers(-5, 320), st.integers(-5, 320))
def test_a_cut_is_a_slice(octets: bytes, start: int, end: int) -> None:

    for read in (
        source.Plain(octets),
        source.of_body(base64.encodebytes(octets), "base64"),
        source.of_body(octets, "binary"),
    ):
        assert read.cut(start, end) == octets[max(start, 0) : max(end, 0)]
