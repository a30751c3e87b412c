"""Hostile messages for `check --batch`: the same every time, as many as asked for.

`requests(n)` gives (name, request). First come the shapes of `bombs` and `headers`, each in a
message from outside and in one of an account's own, so that what is added and changed on the way
is tried as well; then random mutations of the cases and of the shapes, and random octets.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from tests.support.hostile import bombs, headers
from tests.support.hostile.headers import INSIDE, OUTSIDE

CASES = Path(__file__).resolve().parents[2] / "cases"
NOW = 1_795_600_000
Request = dict[str, Any]
Named = tuple[str, Request]

INWARD: Request = {"mail_from": OUTSIDE, "rcpt": [INSIDE], "listener": "mx"}
OUTWARD: Request = {
    "mail_from": INSIDE,
    "rcpt": [OUTSIDE, "ben.poplar@example.org", "all-oak@example.org"],
    "listener": "submission",
    "auth_user": "tolive",
}
_LOGINS = ("", "tolive", "saspen", "wbirch", "crowan", "copier-oak", "bpoplar", "nobody")


def requests(count: int, scale: int = 1, seed: int = 1) -> Iterator[Named]:
    """`count` requests. With a `scale` over 1 the shapes are smaller and a choice of them."""
    shapes = list(shaped(scale))
    random.Random(seed).shuffle(shapes)
    most = len(shapes) if scale == 1 else count // 2
    yield from islice(shapes, min(most, count))
    yield from islice(mutated(scale, seed), max(0, count - most))


def wrong() -> Iterator[Named]:
    """Requests of the wrong form, to be answered by a usage_error."""
    for number, change in enumerate(headers.WRONG):
        request = {**INWARD, "message_b64": _b64(b"Subject: x\r\n\r\nx"), **change}
        yield f"wrong-{number}", request


def shaped(scale: int) -> Iterator[Named]:
    """Every shape, from outside and from inside."""
    for name, mime, body in bombs.bodies(scale):
        for direction, envelope in (("in", INWARD), ("out", OUTWARD)):
            yield f"{name}-{direction}", _request(envelope, letter(envelope, {}, mime, body))
    for name, fields in headers.fields(scale):
        for direction, envelope in (("in", INWARD), ("out", OUTWARD)):
            raw = letter(envelope, fields, bombs.HTML, bombs.LINK)
            yield f"{name}-{direction}", _request(envelope, raw)
    for number, change in enumerate(headers.ENVELOPES):
        for direction, envelope in (("in", INWARD), ("out", OUTWARD)):
            raw = letter(envelope, {}, bombs.HTML, bombs.LINK)
            yield f"envelope-{number}-{direction}", {**_request(envelope, raw), **change}
            gtube = letter(envelope, {"Subject": ["\udcff\u202e"]}, bombs.PLAIN, _GTUBE)
            yield f"envelope-{number}-{direction}-spam", {**_request(envelope, gtube), **change}
    for name, octets in _whole(scale):
        yield f"whole-{name}-in", _request(INWARD, octets)
        yield f"whole-{name}-out", _request(OUTWARD, octets)


_GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def _whole(scale: int) -> Iterator[tuple[str, bytes]]:
    """Messages that are not letters at all."""
    n = 1_000_000 // scale
    yield "empty", b""
    yield "dot", b"."
    yield "crlf", b"\r\n"
    yield "nul", b"\0" * n
    yield "spaces", b" " * n
    yield "lines", b"\r\n" * n
    yield "line-feeds", b"\n" * n
    yield "returns", b"\r" * n
    yield "colons", b":" * n
    yield "fields", b"a:b\r\n" * (n // 5)
    yield "folds", b"a:b\r\n" + b" \r\n" * (n // 3)
    yield "high", b"\xff" * n
    yield "body-only", b"\r\n" + bombs.LINK * 100
    yield "from-only", b"From: a@b.test"
    yield "no-end", b"From: a@b.test\r\nSubject: x"
    yield "long-line", b"From: a@b.test\r\n\r\n" + b"x" * n
    yield "utf16", "From: a@b.test\r\n\r\nx".encode("utf-16")


def mutated(scale: int, seed: int) -> Iterator[Named]:
    """Endless random mutations of cases and shapes."""
    chance = random.Random(seed + 1)
    cases = [
        (folder.parent.name, yaml.safe_load(folder.read_text()), _message(folder))
        for folder in sorted(CASES.glob("*/envelope.yaml"))
    ]
    small = [s for s in shaped(max(scale, 200)) if len(s[1]["message_b64"]) < 60_000]
    raws = [raw for _, _, raw in cases] + [base64.b64decode(r["message_b64"]) for _, r in small]
    number = 0
    while True:
        number += 1
        if number % 12 == 0:
            raw = chance.randbytes(chance.randrange(3_000))
            yield f"random-{number}", _request(chance.choice((INWARD, OUTWARD)), raw)
            continue
        if number % 3:
            name, said, raw = chance.choice(cases)
            request = _request({}, raw) | {
                "client_ip": said["client_address"],
                "helo": said["helo"],
                "mail_from": said["reverse_path"],
                "rcpt": list(said["recipients"]),
                "listener": said["listener"],
                "auth_user": said["account"] or "",
                "now": said["received_at"],
            }
        else:
            name, request = chance.choice(small)
            request, raw = dict(request), base64.b64decode(request["message_b64"])
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            raw = mutate(raw, raws, chance)
        if chance.random() < 0.1:
            request |= chance.choice(headers.ENVELOPES)
        if chance.random() < 0.05:
            request["auth_user"] = chance.choice(_LOGINS)
            request["listener"] = chance.choice(("mx", "submission", "relay"))
        yield f"mutated-{number}-{name}", {**request, "message_b64": _b64(raw)}


_TOKENS = (
    b"\r\n", b"\r", b"\n", b"\0", b"--", b"=", b"=\r\n", b";", b":", b'"', b"<", b">", b"(", b"\\", b"&", b"\xff",
    b"\r\n\r\n", b"\r\n.\r\n", b"=?utf-8?q?", b"?=", b"@", b",", b"<a href=http://a.test>", b"http://a.test/",
    b"</a>", b"<!--", b"-->", b"]]>", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x1b$B", b"+ADw-", b"> ", b"-- \r\n",
    b"<blockquote>", b"<div>", b"<table>", b"<svg>", b"<body>", b"</body>", b"</html>", b"\r\n ", b"charset=",
    b"Content-Type: text/html\r\n", b"Content-Transfer-Encoding: base64\r\n", b"boundary=", b"<html>", b"&lt;",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"From: tara.olive@example.org\r\n", b"utf-16", b"utf-7",
    b"Confidentiality Notice", b"<a href='", b"format=flowed", b"multipart/mixed", b"message/rfc822",
)  # fmt: skip


def mutate(raw: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One change of octets, of lines or of structure."""
    at, to = sorted((chance.randrange(len(raw) + 1), chance.randrange(len(raw) + 1)))
    to = min(to, at + 400)
    kind = chance.randrange(12)
    if kind == 0 and raw:
        flipped = bytearray(raw)
        for _ in range(chance.choice((1, 4, 40))):
            flipped[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(flipped)
    if kind == 1:
        return raw[:at] + raw[to:]
    if kind == 2:
        return raw[:at] + raw[at:to] * chance.choice((2, 3, 50)) + raw[to:]
    if kind == 3:
        return raw[:at]
    if kind == 4:
        return raw[:at] + chance.randbytes(chance.randrange(40)) + raw[to:]
    if kind == 5:
        other = chance.choice(others)
        here = chance.randrange(len(other) + 1)
        return raw[:at] + other[here : here + 2_000] + raw[at:]
    if kind == 6:
        lines = raw.split(b"\r\n")
        chance.shuffle(lines)
        return b"\r\n".join(lines)
    if kind == 7:
        lines = raw.split(b"\r\n")
        line = chance.randrange(len(lines))
        lines.insert(line, lines[chance.randrange(len(lines))])
        return b"\r\n".join(lines)
    if kind == 8:
        lines = raw.split(b"\r\n")
        del lines[chance.randrange(len(lines))]
        return b"\r\n".join(lines)
    if kind == 9:
        return raw[:at] + raw[at:to].swapcase() + raw[to:]
    for _ in range(chance.choice((1, 2, 10))):  # the likeliest: a token in the middle
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.choice(_TOKENS) + raw[at:]
    return raw


def letter(
    envelope: Mapping[str, Any], fields: Mapping[str, list[str]], mime: str, body: bytes
) -> bytes:
    """An ordinary letter but for the fields and the body given."""
    header = {
        "From": [f"Rosa <{envelope['mail_from']}>"],
        "To": [str(envelope["rcpt"][0])],
        "Subject": ["A question"],
        "Date": ["Fri, 20 Nov 2026 09:30:00 -0800"],
        "Message-ID": ["<1@example.net>"],
        "MIME-Version": ["1.0"],
        **fields,
    }
    lines = [f"{name}: {value}\r\n" for name, values in header.items() for value in values]
    head = "".join(lines) + mime + "\r\n\r\n"
    return _octets(head) + body


def _octets(text: str) -> bytes:
    """UTF-8; lone surrogates stand for single octets where they can, else for themselves."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _request(envelope: Mapping[str, Any], raw: bytes) -> Request:
    return {**envelope, "now": NOW, "message_b64": _b64(raw)}


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _message(envelope: Path) -> bytes:
    return (envelope.parent / "message.eml").read_bytes()
