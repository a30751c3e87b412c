"""Which parts of a message are its body."""

import pytest

from mailguard.core.mail import charset, mime
from mailguard.core.text import reader


def message(text: str) -> mime.Message:
    return mime.parse(text.replace("\n", "\r\n").encode())


def part(kind: str, body: str = "words", extra: str = "") -> str:
    return f"Content-Type: {kind}\n{extra}\n{body}\n"


def multi(subtype: str, *children: str, boundary: str = "b", extra: str = "") -> str:
    inner = "".join(f"--{boundary}\n{child}" for child in children)
    kind = f'multipart/{subtype}; boundary="{boundary}"{extra}'
    return f"Content-Type: {kind}\n\n{inner}--{boundary}--\n"


PLAIN, HTML = part("text/plain"), part("text/html", "<p>words</p>")


@pytest.mark.parametrize(
    ("text", "paths", "untouchable"),
    [
        ("Subject: x\n\nwords\n", [""], ""),
        (HTML, [""], ""),
        (multi("alternative", PLAIN, HTML), ["1", "2"], ""),
        (multi("alternative", PLAIN, part("text/x-amp-html"), HTML), ["1", "3"], ""),
        (multi("alternative", PLAIN, HTML, part("text/calendar")), ["1", "2"], ""),
        (
            multi(
                "mixed", multi("alternative", PLAIN, HTML, boundary="c"), part("application/pdf")
            ),
            ["1.1", "1.2"],
            "",
        ),
        (multi("alternative", PLAIN, multi("related", HTML, HTML, boundary="c")), ["1", "2.1"], ""),
        (
            multi("mixed", PLAIN, part("text/plain", extra="Content-Disposition: attachment\n")),
            ["1"],
            "",
        ),
        (multi("mixed", PLAIN, part('text/html; name="a.html"')), ["1"], ""),
        (
            multi("mixed", PLAIN, part("text/html", extra="Content-Disposition: inline\n")),
            ["1", "2"],
            "",
        ),
        (multi("mixed", PLAIN, part("message/rfc822", "Subject: y\n\ninner")), ["1"], ""),
        (multi("signed", HTML, part("application/pgp-signature")), ["1"], "signed"),
        (multi("mixed", multi("signed", HTML, PLAIN, boundary="c"), PLAIN), ["1.1", "2"], ""),
        (multi("encrypted", part("application/pgp-encrypted"), PLAIN), [], "encrypted"),
        (multi("report", PLAIN, part("message/delivery-status")), ["1"], "report"),
        (part("application/pkcs7-mime"), [], "signed or encrypted"),
        (part("text/calendar"), [], "calendar"),
        (part("text/plain", "-----BEGIN PGP SIGNED MESSAGE-----\nx"), [""], "signed"),
        (part("text/plain", "-----BEGIN PGP MESSAGE-----\nx"), [""], "encrypted"),
        (part("image/png"), [], ""),
    ],
)
def test_the_body(text: str, paths: list[str], untouchable: str) -> None:
    reading = reader.read(message(text))
    assert [t.path for t in reading.texts] == paths
    assert reading.untouchable == untouchable
    if untouchable and reading.texts and "PGP" not in reading.texts[0].text:
        assert not any(t.editable for t in reading.texts)


def test_the_same_bytes_give_the_same_reading() -> None:
    text = multi("alternative", PLAIN, part("text/html", "<a href=http://a.test>x</a>"))
    assert reader.read(message(text)) == reader.read(message(text))


def test_an_unknown_charset_or_encoding_is_read_but_not_edited() -> None:
    for raw in (
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\n\xe9",
        b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\xe9",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nx",
        b"Content-Type: text/plain; charset=utf-16\r\n\r\nodd",
    ):
        (text,) = reader.read(mime.parse(raw)).texts
        assert not text.editable
        assert text.obstacle.isascii()


def test_budgets() -> None:
    many = multi("mixed", *[PLAIN] * 60)
    assert reader.read(message(many)).truncated
    assert len(reader.read(message(many), reader.ReadingLimits(texts=3)).texts) == 3
    assert reader.read(message(PLAIN), reader.ReadingLimits(octets=3)).truncated
    linked = part("text/html", "<a href=http://a.test>x</a>" * 10)
    assert reader.read(message(linked), reader.ReadingLimits(links=9)).truncated


@pytest.mark.parametrize(
    ("data", "name", "text", "codec"),
    [
        (b"plain", "us-ascii", "plain", "ascii"),
        ("\u00e9".encode(), "us-ascii", "\u00e9", "utf-8"),
        (b"\x93x\x94", "iso-8859-1", "\u201cx\u201d", "cp1252"),
        (b"\x81\xe9", "utf-8", "\x81\u00e9", "iso8859-1"),
        (b"\xff\xfea\x00", "utf-8", "\ufeffa", "utf-16-le"),
        (b"\x00a", "utf-16", "a", "utf-16-be"),
        ("\u4f60".encode("gb2312"), "gb2312", "\u4f60", "gb2312"),
    ],
)
def test_charsets(data: bytes, name: str, text: str, codec: str) -> None:
    decoded = charset.decode(data, name)
    assert (decoded.text, decoded.codec, decoded.obstacle) == (text, codec, "")
    assert decoded.text.encode(decoded.codec) == data
