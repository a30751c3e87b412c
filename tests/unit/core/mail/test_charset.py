"""The table of charsets: what a label means, and that nothing is remembered of an invented one."""

from __future__ import annotations

import encodings
import functools
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.decision.edit import ReplaceText
from mailguard.core.mail import charset, encoded_words, mime
from mailguard.core.render import render
from mailguard.core.text import reader

LABELS = tuple(charset._NAMED)
CODECS = sorted({found.codec for found in charset._NAMED.values()})
# Python's codec for each of the Encoding Standard's, and text that a narrower one has not.
STANDARD = {
    "utf-8": ("utf-8", "naïve 学校"),
    "ibm866": ("cp866", "Школа №"),
    **{f"iso-8859-{n}": (f"iso8859-{n}", "ŽČ") for n in (2, 4, 10, 13, 16)},
    "iso-8859-3": ("iso8859-3", "Ġħ"),
    "iso-8859-5": ("iso8859-5", "Школа"),
    "iso-8859-6": ("iso8859-6", "مدرسة"),
    "iso-8859-7": ("iso8859-7", "Σχολείο €"),
    "iso-8859-8": ("iso8859-8", "בית"),
    "iso-8859-8-i": ("iso8859-8", "בית"),
    "iso-8859-14": ("iso8859-14", "Ŵŷ"),
    "iso-8859-15": ("iso8859-15", "é €"),
    "koi8-r": ("koi8-r", "Школа"),
    "koi8-u": ("koi8-u", "Школа ї"),
    "macintosh": ("mac-roman", "é ≠"),
    "windows-874": ("cp874", "โรง … “เรียน”"),
    "windows-1250": ("cp1250", "Žluť"),
    "windows-1251": ("cp1251", "Школа"),
    "windows-1252": ("cp1252", "“é” €"),
    "windows-1253": ("cp1253", "Σχολείο"),
    "windows-1254": ("cp1254", "“İğ” €"),
    "windows-1255": ("cp1255", "בית ₪"),
    "windows-1256": ("cp1256", "مدرسة"),
    "windows-1257": ("cp1257", "Žą"),
    "windows-1258": ("cp1258", "đơ"),
    "x-mac-cyrillic": ("mac-cyrillic", "Школа"),
    "gbk": ("gb18030", "学校 嗎 😀"),
    "gb18030": ("gb18030", "学校 嗎 😀"),
    "big5": ("big5hkscs", "學校"),
    "euc-jp": ("euc-jp", "学校"),
    "iso-2022-jp": ("iso2022-jp", "学校"),
    "shift_jis": ("cp932", "学校 ①"),
    "euc-kr": ("cp949", "학교 똠"),
    "utf-16be": ("utf-16-be", "学校"),
    "utf-16le": ("utf-16-le", "学校"),
}
# What the standard's readers refuse to decode, and mail's do not (RFC 1557, 1843).
NOT_ON_THE_WEB = {"iso-2022-kr", "csiso2022kr", "hz-gb-2312"}
# What is read in another way than the standard's: RFC 2781 4.3.
OTHER_IN_MAIL = {"utf-16"}


def standard() -> Iterator[tuple[str, str]]:
    name = ""
    for line in (Path(__file__).parent / "encoding_standard.txt").read_text().splitlines()[1:]:
        if not line.startswith(" "):
            name, _, line = line.partition(": ")
        yield from ((label, name) for label in line.split())


def test_every_label_of_the_encoding_standard_is_read_as_it_says() -> None:
    labels = dict(standard())
    assert len(labels) == 228
    for label, name in labels.items():
        if name in ("replacement", "x-user-defined"):
            assert (charset.named(label) is not None) == (label in NOT_ON_THE_WEB), label
            continue
        codec, text = STANDARD[name]
        octets = text.encode(codec)
        known = charset.named(label)
        assert known is not None, label
        if label not in OTHER_IN_MAIL:
            assert charset.decode(octets, label).text == text, label
            assert charset.decode(octets, f" {label.upper()}\t").text == text, label
        if known.codec not in ("ascii", "big5"):  # U+FFFD in words says what is no ASCII
            assert octets.decode(known.header) == text or label in OTHER_IN_MAIL, label


@pytest.mark.parametrize(
    ("label", "codec", "header"),
    [
        ("UTF-8", "utf-8", "utf-8"),
        ("us-ascii", "ascii", "ascii"),
        ("ISO-8859-1", "iso8859-1", "cp1252"),
        ("iso-8859-1:1987", "iso8859-1", "cp1252"),
        ("gb2312", "gb2312", "gb18030"),
        ("ks_c_5601-1987", "euc-kr", "cp949"),
        ("windows-1251", "cp1251", "cp1251"),
        ("ansi_x3.4-1968", "ascii", "ascii"),
        ("utf-8;", "utf-8", "utf-8"),
        ('"utf-8"', "utf-8", "utf-8"),
        ("utf8mb4", "utf-8", "utf-8"),
        ("cp-850", "cp850", "cp850"),
        ("unicode-1-1-utf-7", "utf-7", "utf-7"),
    ],
)
def test_labels(label: str, codec: str, header: str) -> None:
    found = charset.named(label)
    assert found is not None
    assert (found.codec, found.header) == (codec, header)


@pytest.mark.parametrize(
    "label",
    [
        *("", "''", "hex", "idna", "punycode", "unicode_escape", "undefined", "charmap", "mbcs"),
        *("os.path", "../utf_8", "a" * 100, "x-unknown", "unknown-8bit", "default", "rot13"),
        *("viscii", "iso-2022-cn", "utf.8", "\u00fctf-8"),
    ],
)
def test_no_charset_of_mail(label: str) -> None:
    assert charset.named(label) is None
    assert charset.decode(b"\xe9", label) == charset.Decoded(
        "\u00e9", "iso8859-1", "its charset is unknown"
    )


@pytest.mark.parametrize("label", ["cp037", "EBCDIC-CP-US", "ibm500", "cp1026"])
def test_an_ebcdic_page_is_read_and_hides_no_ascii(label: str) -> None:
    said, plain = "Look: http://a.test/x", b"Look: http://a.test/x"
    found = charset.named(label)
    assert found is not None and found.header == "utf-8"
    assert charset.decode(said.encode(found.codec), label).text == said
    assert charset.decode(plain, label).text == said


def test_a_label_stands_in_the_table_once() -> None:
    written = [label for labels in charset._LABELS.values() for label in labels.split()]
    assert len(written) == len(set(written)) == len(LABELS)
    assert all(charset._folded(label) == label for label in written)


def test_every_row_of_exceptions_is_one_of_the_table() -> None:
    assert charset._LABELS.keys() >= charset._BODIES.keys() | charset._HEADERS.keys()
    assert {*charset._WITH_C1} <= charset._BODIES.keys()


@pytest.mark.parametrize(
    ("octets", "label", "text", "codec"),
    [
        (b"\x93x\x94", "iso-8859-9", "“x”", "cp1254"),
        ("ğ".encode("iso8859-9"), "iso-8859-9", "ğ", "iso8859-9"),
        ("嗎".encode("gbk"), "gb2312", "嗎", "gb18030"),
        ("school’s".encode(), "gb2312", "school’s", "utf-8"),
        ("①".encode("cp932"), "shift_jis", "①", "cp932"),
        ("똠".encode("cp949"), "euc-kr", "똠", "cp949"),
        ("碁銹".encode("cp950"), "big5", "碁銹", "cp950"),
        (b"\x81\x8d", "iso-8859-9", "\x81\x8d", "iso8859-9"),
    ],
)
def test_the_superset_that_clients_read(octets: bytes, label: str, text: str, codec: str) -> None:
    assert charset.decode(octets, label) == charset.Decoded(text, codec)


@given(octets=st.binary(max_size=60), label=st.sampled_from(LABELS) | st.text(max_size=30))
def test_whatever_is_read_is_written_back_or_says_that_it_cannot(octets: bytes, label: str) -> None:
    decoded = charset.decode(octets, label)
    if not decoded.obstacle and not decoded.stateful:
        assert charset.encode(decoded.text, decoded.codec) == octets


@given(octets=st.binary(max_size=60), label=st.sampled_from(LABELS))
def test_encoded_words_never_fail(octets: bytes, label: str) -> None:
    quoted = "".join(f"={octet:02X}" for octet in octets)
    encoded_words.decode(f"=?{label}?q?{quoted}?=".encode()).encode()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize("added", [" added", " added: naïve “学校”"])
def test_an_edit_in_every_charset(codec: str, kind: str, added: str) -> None:
    known = charset.named(codec)
    assert known is not None
    wanted = "<p>aé\u0416\u05d0\u0e01\u5b66\uac00 end"
    octets = wanted.encode(known.body[0], "ignore")
    head = f"Content-Type: text/{kind}; charset={codec}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    message = mime.parse(head.encode() + octets)
    (text,) = reader.read(message).texts
    assert text.text == octets.decode(known.body[0])
    assert text.editable
    edit = ReplaceText("", len(text.text), len(text.text), added)
    made = render.render(message, [edit])
    assert render.verify(message, made, [edit]) is None


def remembered() -> dict[str, int]:
    """How much Python's registry of codecs and each cache of ours hold."""
    ours = (one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper))
    return {
        "encodings": len(encodings._cache),  # type: ignore[attr-defined]
        **{
            f"{one.__module__}.{one.__qualname__}": one.cache_info().currsize
            for one in ours
            if str(one.__module__).startswith("mailguard")
        },
    }


def labelled(labels: list[str]) -> bytes:
    """Each label wherever a message may name a charset."""
    head = "".join(f" =?{label}?q?=E9?=\r\n" for label in labels)
    lines = [f"Subject:{head}From: =?{labels[0]}?b?6Q==?= <a@example.com>"]
    lines.append('Content-Type: multipart/mixed; boundary="b"\r\n')
    lines.append("--b\r\nContent-Type: text/plain; charset=windows-1252\r\n\r\nnews")
    for number, label in enumerate(labels):
        kind = "html" if number % 2 else "plain"
        lines.append(f"--b\r\nContent-Type: text/{kind}; charset={label}\r\n")
        lines.append(f"<meta charset={label}><p>\u00e9 {number}")
        lines.append(f"--b\r\nContent-Type: text/x; charset*={label}''{label}")
        lines.append(f"Content-Disposition: attachment; filename*={label}''%E9.txt\r\n\r\nx")
    return "\r\n".join([*lines, "--b--", ""]).encode()


def walk(labels: list[str]) -> None:
    message = mime.parse(labelled(labels))
    assert message.value("Subject") == "\ufffd" * len(labels)
    first, *texts = reader.read(message).texts
    assert [text.obstacle for text in texts] == ["its charset is unknown"] * len(labels)
    edit = ReplaceText(first.path, 0, 0, "\u00e9")
    assert render.verify(message, render.render(message, [edit]), [edit]) is None
    with pytest.raises(render.RenderError, match="charset is unknown"):
        render.render(message, [ReplaceText(texts[0].path, 0, 0, "x")])


def test_fifty_thousand_invented_labels_leave_no_trace() -> None:
    walk([f"x-known-{number}" for number in range(40)])
    before = remembered()
    for start in range(0, 50_000, 40):
        walk([f"x-invented-{number}" for number in range(start, start + 40)])
    assert remembered() == before
