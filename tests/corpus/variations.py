"""Messages to try edits on: every mail of the corpus in other encodings and wrappings, and trees of
parts that no client would write. The same every time."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from tests.support.hostile import generate
from tests.support.linked_mails import mails

from mailguard.core.mail import mime
from mailguard.core.text import reader

Named = tuple[str, bytes]
CHARSETS = ("utf-8", "windows-1252", "iso-8859-15", "utf-16", "iso-2022-jp", "gb18030", "us-ascii")
ENCODINGS = ("7bit", "8bit", "quoted-printable", "QUOTED-PRINTABLE", "base64", "BASE64", "binary")


def messages(count: int) -> Iterator[Named]:
    """`count` of them: a third variations, a third trees, a third hostile ones, and the samples
    that Python's own tests of its mail parser read where they are installed."""
    few = list(samples())
    rest = count - len(few)
    yield from few
    yield from islice(varied(), rest // 3)
    yield from islice(trees(), rest // 3)
    for name, request in generate.requests(rest - 2 * (rest // 3), scale=200, seed=7):
        yield f"hostile-{name}", base64.b64decode(request["message_b64"])


def samples() -> Iterator[Named]:
    """The standard library's own, where its tests are there."""
    try:
        from test import test_email
    except ImportError:
        return
    for file in sorted((Path(test_email.__file__).parent / "data").glob("*.txt")):
        raw = file.read_bytes()
        yield f"sample-{file.name}", raw
        yield f"sample-crlf-{file.name}", raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def varied() -> Iterator[Named]:
    """Endless: the corpus, written in other ways."""
    chance = random.Random(11)
    for mail in mails():
        yield mail.name, mail.raw
    for number, mail in enumerate(cycle(mails())):
        raw = mail.raw
        for change in chance.sample(_CHANGES, chance.choice((1, 1, 2, 3))):
            raw = change(raw, chance)
        yield f"{mail.name}-{number}", raw


def trees() -> Iterator[Named]:
    """Endless: random trees of parts, the corpus's texts and others at their leaves."""
    chance = random.Random(12)
    texts = [
        (text.subtype, text.text)
        for mail in mails()
        for text in reader.read(mime.parse(mail.raw)).texts
    ]
    number = 0
    while True:
        number += 1
        header = (
            b"From: Rosa Elm <rosa@example.com>\r\nTo: tara.olive@example.org\r\n"
            b"Subject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_folded?=\r\nMIME-Version: 1.0\r\n"
        )
        raw = header + _entity(chance, texts, 0)
        if chance.random() < 0.1:
            raw = raw.replace(b"\r\n", b"\n")
        if chance.random() < 0.1:
            raw = raw[: -chance.randrange(1, 80)]
        yield f"tree-{number}", raw


def _entity(chance: random.Random, texts: list[tuple[str, str]], depth: int) -> bytes:
    if depth < 5 and chance.random() < 0.6 - 0.1 * depth:
        return _multipart(chance, texts, depth)
    kind = chance.random()
    if kind < 0.35:
        subtype, text = chance.choice(texts)
        return _text(chance, subtype, text)
    if kind < 0.6:
        text = "".join(chance.choice(_PIECES) for _ in range(chance.randrange(12)))
        return _text(chance, chance.choice(("plain", "html")), text)
    if kind < 0.7 and depth < 5:
        inner = b"From: a@b.test\r\nSubject: inner\r\n" + _entity(chance, texts, depth + 1)
        return b"Content-Type: message/rfc822\r\n\r\n" + inner
    if kind < 0.75:
        return b"\r\nno header of its own, see https://bare.test/\r\n"
    return chance.choice(_LEAVES)


def _multipart(chance: random.Random, texts: list[tuple[str, str]], depth: int) -> bytes:
    subtype = chance.choice(
        (
            "mixed",
            "mixed",
            "alternative",
            "alternative",
            "related",
            "signed",
            "report",
            "digest",
            "x",
        )
    )
    boundary = chance.choice(("b", "b b", "=_b", "b:'", "x" * 60)) + str(depth)
    quoted = f'"{boundary}"'
    field = f"Content-Type: multipart/{subtype};{chance.choice((' ', chr(13) + chr(10) + chr(9)))}"
    made = (field + f"boundary={quoted}\r\n\r\n").encode()
    if chance.random() < 0.3:
        made += b"This is a multi-part message; see http://preamble.test/\r\n"
    for _ in range(chance.choice((0, 1, 2, 2, 3, 4))):
        padding = b" \t" if chance.random() < 0.1 else b""
        made += b"--" + boundary.encode() + padding + b"\r\n"
        made += _entity(chance, texts, depth + 1) + b"\r\n"
    if chance.random() < 0.9:
        made += b"--" + boundary.encode() + b"--\r\n"
    if chance.random() < 0.3:
        made += b"epilogue http://epilogue.test/\r\n"
    return made


def _text(chance: random.Random, subtype: str, text: str) -> bytes:
    charset, encoding = chance.choice(CHARSETS), chance.choice(ENCODINGS)
    data = text.encode(charset, "replace")
    name = chance.choice((charset, charset, charset, f'"{charset}"', charset.upper(), "x-unknown"))
    flowed = "; format=flowed" if chance.random() < 0.2 else ""
    made = f"Content-Type: text/{subtype}; charset={name}{flowed}\r\n"
    if encoding != "7bit" or chance.random() < 0.5:
        made += f"Content-Transfer-Encoding: {encoding}\r\n"
    if chance.random() < 0.1:
        made += "Content-Disposition: attachment; filename=a.txt\r\n"
    return made.encode() + b"\r\n" + _encoded(data, encoding.lower(), chance)


def _encoded(data: bytes, encoding: str, chance: random.Random) -> bytes:
    if encoding == "base64":
        width = chance.choice((76, 76, 72, 64, 60, 4))
        text = binascii.b2a_base64(data, newline=False)
        return b"".join(text[at : at + width] + b"\r\n" for at in range(0, len(text), width))
    if encoding == "quoted-printable":
        istext = chance.random() < 0.8
        coded = binascii.b2a_qp(data.replace(b"\r\n", b"\n") if istext else data, istext=istext)
        coded = coded.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return coded.lower() if chance.random() < 0.05 else coded
    return data


def _recoded(raw: bytes, chance: random.Random) -> bytes:
    """One text in another transfer encoding and charset."""
    message = mime.parse(raw)
    leaves = [p for p in message.parts if p.content_type in ("text/plain", "text/html")]
    if not leaves:
        return raw
    part = chance.choice(leaves)
    text = reader.text_of(message, part)[0].text
    fields = b"".join(
        raw[f.start : f.end]
        for f in part.fields
        if f.name.lower() not in ("content-type", "content-transfer-encoding")
    )
    made = _text(chance, part.content_type.partition("/")[2], text)
    return raw[: part.start] + fields + made + raw[part.end :]


def _enclosed(raw: bytes, chance: random.Random) -> bytes:
    """The message within another: beside a file, signed, or attached."""
    message = mime.parse(raw)
    fields = message.root.fields
    own = b"".join(raw[f.start : f.end] for f in fields if not f.name.lower().startswith("content"))
    inner = b"".join(raw[f.start : f.end] for f in fields if f.name.lower().startswith("content"))
    inner += b"\r\n" + raw[message.root.body_start :]
    kind = chance.choice(("mixed", "mixed", "related", "signed", "attached"))
    if kind == "attached":
        inner, kind = b"Content-Type: message/rfc822\r\n\r\n" + raw, "mixed"
    other = chance.choice(_LEAVES)
    return (
        own
        + f'Content-Type: multipart/{kind}; boundary="outer"\r\n\r\n--outer\r\n'.encode()
        + inner
        + b"\r\n--outer\r\n"
        + other
        + b"\r\n--outer--\r\n"
    )


def _bare_line_feeds(raw: bytes, _: random.Random) -> bytes:
    return raw.replace(b"\r\n", b"\n")


def _cut(raw: bytes, chance: random.Random) -> bytes:
    return raw[: len(raw) - chance.choice((1, 2, 3, 20, 300))]


def _fields_recast(raw: bytes, _: random.Random) -> bytes:
    head, blank, body = raw.partition(b"\r\n\r\n")
    head = head.replace(b"Content-Type:", b"CONTENT-TYPE :").replace(b"; ", b" ;\r\n\t")
    return head + blank + body


def _longer(raw: bytes, chance: random.Random) -> bytes:
    return raw + chance.choice((b"\r\n", b"epilogue\r\n", b"\r\n\r\n\r\n", b"--\r\n"))


_CHANGES = [_recoded, _recoded, _enclosed, _bare_line_feeds, _cut, _fields_recast, _longer]
_PIECES = (
    "<p>",
    "</p>",
    "\r\n",
    "<br>",
    '<a href="https://a.test/?x=1&amp;y">',
    "</a>",
    "caf\xe9 ",
    "\u4f60\u597d ",
    "https://c.test/x ",
    "www.d.test ",
    "text ",
    "= ",
    ".",
    "\r\n> quoted\r\n",
    "<div class=gmail_quote>",
    "<!--[if mso]><a href='https://e.test/'>x</a><![endif]-->",
    "<a href=https://f.test/>",
    "\r\n-- \r\n",
    "On Mon, Jane wrote:\r\n",
    "<blockquote>",
    "</blockquote>",
    "\U0001f600",
    "x" * 120,
    "<form action=//g.test>",
)
_LEAVES = (
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n",
    b"Content-Type: a/octets\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\xff\r\r\n\n--\r\n",
    b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nURL:https://cal.test/\r\n",
    b"Content-Type: application/pdf; name=a.pdf\r\n\r\n%PDF https://p.test/\r\n",
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nAction: failed\r\n",
    b"Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\nAAAA\r\n",
    b"Content-Type: text/x-amp-html\r\n\r\n<html amp4email><a href=https://amp.test/>x</a>\r\n",
    b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<a href=//f.test>x</a>\r\n",
    b"",
)
