"""The structure of messages: spans, every reading of names, and the defects."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support import cost

from mailguard.core.mail import mime
from mailguard.core.mail.message import Message


def lines(*text: str) -> bytes:
    return "\r\n".join(text).encode("latin-1")


def codes(message: Message) -> set[str]:
    return {defect.code for defect in message.defects}


def body(message: Message, path: str) -> bytes:
    part = next(part for part in message.parts if part.path == path)
    return message.raw[part.body_start : part.end]


MIXED = lines(
    "From: Jane Doe <jane@example.org>",
    "Subject: A",
    " folded subject",
    "Content-Type: multipart/mixed; boundary=outer",
    "",
    "",
    "--outer",
    'Content-Type: multipart/alternative; boundary="inner one"',
    "",
    "--inner one",
    "",
    "plain",
    "--inner one",
    "Content-Type: text/html; charset=UTF-8",
    "",
    "<p>",
    "",
    "--inner one--",
    "--outer ",
    "Content-Type: message/rfc822",
    "",
    "Subject: embedded",
    "",
    "text",
    "--outer",
    "Content-Type: application/pdf; name=a.pdf",
    "Content-Disposition: ATTACHMENT; filename=b.pdf",
    "Content-Transfer-Encoding: BASE64",
    "",
    "aGVsbG8=",
    "--outer--",
    "",
)


def test_structure() -> None:
    message = mime.parse(MIXED)
    assert message.defects == ()
    assert [(part.path, part.content_type) for part in message.parts] == [
        ("", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "message/rfc822"),
        ("2.1", "text/plain"),
        ("3", "application/pdf"),
    ]
    assert body(message, "1.1") == b"plain"
    assert body(message, "1.2") == b"<p>\r\n"
    assert body(message, "2") == b"Subject: embedded\r\n\r\ntext"
    assert body(message, "2.1") == b"text"
    pdf = message.parts[-1]
    assert (pdf.disposition, pdf.transfer_encoding) == ("attachment", "base64")
    assert pdf.filenames == ("b.pdf", "a.pdf")
    assert mime.decoded_body(message, pdf) == (b"hello", ())
    assert mime.head(message, pdf, 3) == b"hel"
    assert message.parts[3].charset == "utf-8"
    assert message.value("subject") == "A folded subject"
    assert message.author.addresses == ("jane@example.org",)


def test_header_without_body_and_body_without_header() -> None:
    message = mime.parse(b"Subject: x\r\n")
    assert (message.value("Subject"), message.root.body_start) == ("x", 12)
    message = mime.parse(b"\r\nSubject: no\r\n")
    assert (message.root.fields, message.root.body_start) == ((), 2)
    message = mime.parse(b"just text\r\nand more\r\n")
    assert codes(message) == {"header-missing"}
    assert message.root.body_start == 0
    assert mime.parse(b"").root.end == 0


def test_a_boundary_that_begins_like_another() -> None:
    message = mime.parse(
        lines(
            "Content-Type: multipart/mixed; boundary=b",
            "",
            "--b",
            "Content-Type: multipart/mixed; boundary=b1",
            "",
            "--b1",
            "",
            "x",
            "--b1--",
            "--b--",
        )
    )
    assert message.defects == ()
    assert body(message, "1.1") == b"x"


def test_digest_and_default_types() -> None:
    message = mime.parse(
        lines(
            "Content-Type: multipart/digest; boundary=b",
            "",
            "--b",
            "",
            "Subject: one",
            "",
            "x",
            "--b--",
        )
    )
    assert [part.content_type for part in message.parts][1:] == ["message/rfc822", "text/plain"]


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("Content-Disposition: attachment; filename=a.pdf", ("a.pdf",)),
        ('Content-Disposition: attachment; filename="a b;c.pdf"', ("a b;c.pdf",)),
        ("Content-Type: x/y; name=a.pdf", ("a.pdf",)),
        ("Content-Disposition: attachment; filename*=utf-8''%e2%9c%93.exe", ("✓.exe",)),
        ("Content-Disposition: a; filename=a.txt; filename*=utf-8''a.exe", ("a.exe", "a.txt")),
        ("Content-Disposition: a; filename*0=a.; filename*1=exe", ("a.exe",)),
        ("Content-Disposition: a; filename*1=exe; filename*0=a.", ("a.exe",)),
        ("Content-Disposition: a; filename*0*=utf-8''a%2E; filename*1=exe", ("a.exe",)),
        (
            'Content-Disposition: a; filename="=?utf-8?q?a=2Eexe?="',
            ("a.exe", "=?utf-8?q?a=2Eexe?="),
        ),
        ("Content-Disposition: a; filename=a b.exe", ("a b.exe", "a")),
        ('Content-Disposition: a; filename="a\\"b.exe"', ('a"b.exe', 'a\\"b.exe')),
        ("Content-Disposition: a; filename=a.txt; filename=b.exe", ("a.txt", "b.exe")),
        ("Content-Disposition: a; FileName=a.exe", ("a.exe",)),
        ("Content-Disposition: a (c); filename=a.exe", ("a.exe",)),
        ("Content-Disposition: a;\r\n\tfilename=\r\n a.exe", ("a.exe",)),
        ('Content-Disposition: a; filename="a.exe', ("a.exe",)),
    ],
)
def test_every_reading_of_a_file_name(field: str, names: Sequence[str]) -> None:
    message = mime.parse(lines(field, "", ""))
    found = message.root.filenames
    assert found[: len(names)] == tuple(names) or set(names) <= set(found)


def multipart(parameters: str, *rest: str) -> bytes:
    return lines(f"Content-Type: multipart/mixed; {parameters}", "", *rest)


PART = ("--b", "", "x")
HOSTILE = [
    ("field-duplicated", lines("From: a@a.test", "From: b@b.test", "", "")),
    ("field-duplicated", lines("Subject: a", "Subject: b", "", "")),
    ("field-duplicated", lines("Content-Type: text/plain", "Content-Type: text/html", "", "")),
    ("field-duplicated", lines("From: a@a.test", "From : b@b.test", "", "")),
    ("space-before-colon", lines("From : a@a.test", "", "")),
    ("header-nul", lines("Subject: a\0b", "", "")),
    ("nul", lines("Subject: a", "", "a\0b")),
    ("field-without-colon", lines("Subject: a", "garbage", "From: a@a.test", "", "")),
    ("field-name-invalid", lines("Sub\xe4ct: a", "To: a@a.test", "", "")),
    ("header-blank-fold", lines("Subject: a", " ", "From: a@a.test", "", "")),
    ("header-not-utf8", lines("Subject: \xfc", "", "")),
    ("header-line-too-long", lines("Subject: " + "x" * 1_000, "", "")),
    ("header-missing", b"text only"),
    ("mbox-from-line", lines("From a@a.test Mon Jan  1 00:00:00 2024", "To: a@a.test", "", "")),
    ("bare-line-end", b"Subject: a\r\nTo: b\n\r\nx\r\n"),
    ("bare-line-end", b"Subject: a\r\n\r\nx\ry\r\n"),
    ("line-ends-lf", b"Subject: a\n\nx\n"),
    ("boundary-repeated", multipart("boundary=b; boundary=c", *PART, "--b--")),
    ("boundary-repeated", multipart("boundary=b; boundary*=''c", *PART, "--b--")),
    ("boundary-repeated", multipart("boundary=b; boundary*0=c", *PART, "--b--")),
    ("parameter-extended", multipart("boundary*=''b", *PART, "--b--")),
    ("boundary-missing", multipart("x=y", *PART, "--b--")),
    ("boundary-missing", multipart('boundary=""', "--", "", "x", "----")),
    ("boundary-invalid", multipart("boundary=" + "b" * 71, "--" + "b" * 71, "", "x")),
    ("boundary-invalid", multipart('boundary="b "', "--b ", "", "x")),
    (
        "boundary-duplicated",
        multipart("boundary=b", "--b", "Content-Type: multipart/x; boundary=b", "", *PART, "--b--"),
    ),
    ("boundary-with-text", multipart("boundary=b", *PART, "--bcd", "", "y", "--b--")),
    ("boundary-with-text", multipart("boundary=b", *PART, "--b--x", "", "y", "--b--")),
    ("multipart-unclosed", multipart("boundary=b", *PART)),
    ("multipart-without-parts", multipart("boundary=b", "x")),
    ("multipart-without-parts", multipart("boundary=b", "--b--", "x")),
    ("preamble-text", multipart("boundary=b", "text", *PART, "--b--")),
    ("preamble-with-part", multipart("boundary=b", "Content-Type: a/b", "", *PART, "--b--")),
    ("epilogue-text", multipart("boundary=b", *PART, "--b--", "text")),
    ("epilogue-with-part", multipart("boundary=b", *PART, "--b--", *PART, "--b--")),
    ("epilogue-with-part", multipart("boundary=b", *PART, "--b--", "content-type: a/b")),
    ("content-type-invalid", lines("Content-Type: text", "", "")),
    ("content-type-invalid", lines("Content-Type: ", "", "")),
    ("parameter-malformed", lines('Content-Type: text/plain; "x', "", "")),
    ("parameter-malformed", lines("Content-Type: text/plain; charset=utf-8 utf-7", "", "")),
    ("parameter-repeated", lines("Content-Type: text/plain; charset=a; charset=b", "", "")),
    ("parameter-sections", lines("Content-Type: a/b; name*0=a; name*2=b", "", "")),
    ("parameters-too-many", lines("Content-Type: a/b" + "; a=b" * 300, "", "")),
    ("filename-unquoted", lines("Content-Type: a/b; name=x y.exe", "", "")),
    ("transfer-encoding-unknown", lines("Content-Transfer-Encoding: base-64", "", "")),
    ("transfer-encoding-unknown", lines("Content-Transfer-Encoding: x-uuencode", "", "")),
    (
        "composite-encoded",
        lines("Content-Transfer-Encoding: base64", multipart("boundary=b").decode()),
    ),
    (
        "composite-encoded",
        lines("Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", "QQ=="),
    ),
    ("message-partial", lines("Content-Type: message/partial; id=x; number=1", "", "x")),
    ("base64-garbage", lines("Content-Transfer-Encoding: base64", "", "QU.JD")),
    ("base64-padding-inside", lines("Content-Transfer-Encoding: base64", "", "QQ==QkM=")),
    ("quoted-printable-malformed", lines("Content-Transfer-Encoding: quoted-printable", "", "=ZZ")),
    ("fields-too-many", b"A: b\r\n" * 2_001 + b"\r\n"),
    ("parts-too-many", multipart("boundary=b", *PART * 2_001, "--b--")),
    ("too-deep", b"Content-Type: message/rfc822\r\n\r\n" * 200),
    (
        "defects-too-many",
        multipart("boundary=b", *("--b", "Content-Type: x", "", "x") * 300, "--b--"),
    ),
]


@pytest.mark.parametrize(
    ("code", "raw"), HOSTILE, ids=[f"{i}-{h[0]}" for i, h in enumerate(HOSTILE)]
)
def test_defects(code: str, raw: bytes) -> None:
    message = mime.parse(raw)
    assert code in codes(message)
    for defect in message.defects:
        assert defect.ambiguous == mime.DEFECTS[defect.code].ambiguous


def test_every_code_is_declared_and_provoked() -> None:
    assert {code for code, _ in HOSTILE} == set(mime.DEFECTS)


def test_every_code_in_the_source_is_declared() -> None:
    folder = Path(mime.__file__).parent
    written = set()
    for name in ("mime.py", "fields.py", "parameters.py"):
        text = (folder / name).read_text()
        written |= set(re.findall(r'(?:note\(|defects\[)"([a-z0-9-]+)"', text))
    assert written
    assert written <= set(mime.DEFECTS)


def test_the_rest_past_a_limit_is_an_opaque_body() -> None:
    message = mime.parse(b"A: b\r\n" * 5 + b"\r\nx", mime.ParseLimits(fields=3))
    assert len(message.root.fields) == 3
    assert message.root.body_start == 18
    message = mime.parse(multipart("boundary=b", *PART * 5, "--b--"), mime.ParseLimits(parts=3))
    assert len(message.parts) == 3
    message = mime.parse(MIXED, mime.ParseLimits(depth=1))
    assert [part.path for part in message.parts] == ["", "1", "2", "3"]


@pytest.mark.parametrize("path", ["", "1"])
def test_skipped_lines_do_not_hide_fields(path: str) -> None:
    """A reader that ends the header at the odd line sees less; we see both and say ambiguous."""
    raw = lines("From: a@a.test", "garbage", "Content-Type: text/html", "", "x")
    if path:
        raw = multipart("boundary=b", "--b") + b"\r\n" + raw
    part = mime.parse(raw).parts[-1]
    assert part.content_type == "text/html"
    assert [item.name for item in part.fields] == ["From", "", "Content-Type"]


@pytest.mark.parametrize(
    ("encoding", "encoded", "decoded"),
    [
        ("base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        ("base64", b"a GV*sbG8", b"hello"),
        ("base64", b"QQ==QkM=", b"ABC"),
        ("base64", b"QUJDR", b"ABC"),
        ("base64", b"====", b""),
        ("quoted-printable", b"a=3Db=\r\nc =ZZ", b"a=bc =ZZ"),
        ("x-uuencode", b"begin 644 a", b"begin 644 a"),
        ("8bit", b"\xff", b"\xff"),
    ],
)
def test_decoded_body(encoding: str, encoded: bytes, decoded: bytes) -> None:
    raw = b"Content-Transfer-Encoding: %b\r\n\r\n%b" % (encoding.encode(), encoded)
    message = mime.parse(raw)
    assert mime.decoded_body(message, message.root)[0] == decoded
    for count in range(len(decoded) + 2):
        assert mime.head(message, message.root, count) == decoded[:count]


def test_head_of_a_big_body_is_cheap_and_right() -> None:
    content = bytes(range(256)) * 6_000
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)
    message = mime.parse(raw)
    assert mime.head(message, message.root, 512) == content[:512]
    cost.assert_ratio(
        lambda: mime.head(message, message.root, 512),
        lambda: mime.decoded_body(message, message.root),
        most=0.01,
    )
    padded = mime.parse(b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\r\n" * 99_999 + b"QUJD")
    assert mime.head(padded, padded.root, 2) == b"AB"


def _deep(count: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=x%dx\r\n\r\n--x%dx\r\n" % (n, n)
        for n in range(count)
    )


def _filenames(count: int) -> bytes:
    several = b"".join(b"; filename*%d=x" % n for n in range(count))
    return b"Content-Disposition: a" + several + b"\r\n\r\n"


_TYPE = b"Content-Type: text/plain"
_ENCODING = b"Content-Transfer-Encoding: "
_PART = multipart("boundary=b")
BOMBS = [
    cost.growing(b"\r\n--b\r\n\r\nx", 1_500, _PART),
    cost.growing(b"\r\n--b\r\n\r\nx", 50_000, _PART),
    cost.Growing(_deep, 96, "deep"),
    cost.Growing(_deep, 1_500, "deeper"),
    cost.growing(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 1_500),
    cost.growing(b"Content-Type: message/rfc822\r\n\r\n", 300),
    cost.growing(b"Content-Type: message/rfc822\r\n\r\n", 20_000),
    cost.growing(b"abcdefgh\r\n", 50_000, _deep(99)),
    cost.growing(b"\r\n--bX", 25_000, _PART),
    cost.growing(b"\r\n--", 100_000, _PART),
    cost.growing(b"; a=b", 240, _TYPE, b"\r\n\r\n"),
    cost.growing(b"; a=b", 8_000, _TYPE, b"\r\n\r\n"),
    cost.growing(b'; "', 80_000, _TYPE, b"\r\n\r\n"),
    cost.growing(b" ", 80_000, _TYPE + b";", b"x\r\n\r\n"),
    cost.growing(b"\r\n ", 80_000, b"Content-Type: ", b"x\r\n\r\n"),
    cost.growing(b"(", 80_000, _TYPE + b" ", b"\r\n\r\n"),
    cost.growing(b'"\\', 40_000, _TYPE + b"; a=", b"\r\n\r\n"),
    cost.Growing(_filenames, 240, "filename*n"),
    cost.Growing(_filenames, 8_000, "filename*n"),
    cost.growing(b"Subject: x\r\n", 1_500),
    cost.growing(b"Subject: x\r\n", 50_000),
    cost.growing(b"x\r\n", 2_000),
    cost.growing(b"x\r\n", 50_000),
    cost.growing(b"Subject", 200_000),
    cost.growing(b" \r\n", 100_000, b"A: b\r\n"),
    cost.growing(b"QQ==\r\n", 100_000, _ENCODING + b"base64\r\n\r\n"),
    cost.growing(b"=  ", 150_000, _ENCODING + b"quoted-printable\r\n\r\n"),
    cost.growing(b"<", 48_000, b"From: ", b"\r\n\r\n"),
]


@pytest.mark.parametrize("raw", BOMBS, ids=range(len(BOMBS)))
def test_bombs_cost_little(raw: cost.Growing[bytes]) -> None:
    def looked_at(raw: bytes) -> None:
        message = mime.parse(raw)
        for part in message.parts:
            mime.head(message, part, 64)
        assert message.author.ambiguous

    cost.assert_linear(raw, looked_at)


@pytest.mark.parametrize("after", [b"", b"\r\n", b"\n"])
def test_the_first_blank_line_ends_the_header_however_it_is_written(after: bytes) -> None:
    message = mime.parse(b"Subject: x\r\n\n" + after + b"\r\nTo: not@a.field\r\n")
    assert [field.name for field in message.root.fields] == ["Subject"]
    assert message.raw[message.root.body_start :] == after + b"\r\nTo: not@a.field\r\n"
