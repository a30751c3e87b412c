"""Hostile bodies and headers, each written by hand after a class of attack.

Owns the shapes; `generate` puts them into messages and envelopes. A body is its Content-Type (and
what else the part's header says) with its octets. Nothing is random here.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator

TYPE = "Content-Type: "
PLAIN = "Content-Type: text/plain; charset=utf-8"
HTML = "Content-Type: text/html; charset=utf-8"
LINK = b'<a href="http://payroll.example.net/login?id=1">click here</a> '

Body = tuple[str, str, bytes]  # name, the header's MIME fields (lines parted by CRLF), body


def bodies(scale: int) -> Iterator[Body]:
    """Every hostile body; `scale` 1 is full size, 20 a twentieth of it."""
    yield from _structures(scale)
    yield from _html(scale)
    yield from _texts(scale)
    yield from _encodings(scale)
    yield from _shapes(scale)


def _multipart(boundary: str, *parts: bytes, kind: str = "mixed") -> tuple[str, bytes]:
    mark = boundary.encode()
    body = b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts)
    return f'{TYPE}multipart/{kind}; boundary="{boundary}"', body + b"--" + mark + b"--\r\n"


def nested(depth: int, kind: str = "mixed", closed: bool = True) -> tuple[str, bytes]:
    """Multiparts in multiparts, a text in the innermost."""
    opened = b"".join(
        b"--b%d\r\nContent-Type: multipart/%s; boundary=b%d\r\n\r\n" % (n, kind.encode(), n + 1)
        for n in range(depth)
    )
    text = b"--b%d\r\nContent-Type: text/html\r\n\r\n%s\r\n" % (depth, LINK)
    ends = b"".join(b"--b%d--\r\n" % n for n in range(depth, -1, -1)) if closed else b""
    return f"{TYPE}multipart/{kind}; boundary=b0", opened + text + ends


def _structures(scale: int) -> Iterator[Body]:
    deep, wide = 1_600 // min(scale, 4), 200_000 // scale
    for kind in ("mixed", "alternative", "related", "signed", "digest", "report"):
        yield (f"deep-{kind}", *nested(deep, kind))
    yield ("deep-unclosed", *nested(deep, closed=False))
    yield ("just-deep-enough", *nested(98))
    inner = b"Content-Type: message/rfc822\r\n\r\n" * deep + b"Subject: in\r\n\r\nhttp://a.test/"
    yield ("deep-rfc822", TYPE + "message/rfc822", inner)
    yield ("wide", *_multipart("w", *[b"\r\nx"] * wide))
    yield ("wide-html", *_multipart("w", *[b"Content-Type: text/html\r\n\r\n" + LINK] * 1_990))
    yield ("wide-empty", f"{TYPE}multipart/mixed; boundary=w", b"--w\r\n" * wide)
    yield ("wide-digest", *_multipart("w", *[b"\r\nFrom: a@b.test"] * (wide // 4), kind="digest"))
    yield ("same-boundary", f"{TYPE}multipart/mixed; boundary=w", nested_same(deep))
    yield ("odd-delimiters", f"{TYPE}multipart/mixed; boundary=w", b"--w x\r\n" * wide)
    yield ("prefix-boundaries", *_prefixes())
    yield ("empty-boundary", TYPE + 'multipart/mixed; boundary=""', b"--\r\n\r\nx\r\n----\r\n")
    yield ("no-boundary", TYPE + "multipart/mixed", b"--\r\n\r\nhttp://a.test\r\n")
    two = TYPE + "multipart/mixed; boundary=a; boundary=b"
    yield ("two-boundaries", two, b"--a\r\n\r\n1\r\n--b\r\n\r\n2\r\n--a--\r\n--b--\r\n")
    yield ("two-types", f"{HTML}\r\n{PLAIN}", LINK)
    many = "; ".join(f"p{n}=v{n}" for n in range(8_000 // scale))
    yield ("many-parameters", f"{PLAIN}; {many}", b"text")
    pieces = "; ".join(f"name*{n}*=%41" for n in range(8_000 // scale))
    yield ("continued-parameters", f"{TYPE}text/plain; {pieces}", b"text")
    yield ("long-parameter", f"{TYPE}text/plain; name*=utf-8''{'%ff' * 30_000}", b"text")
    yield ("quoted-unclosed", f'{TYPE}text/plain; name="{"(" * 30_000}', b"text")
    yield ("comments", f"{TYPE}{'(' * 30_000}text/html", LINK)
    yield (
        "encoded-multipart",
        f"{TYPE}multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64",
        base64.encodebytes(b"--b\r\n\r\nx\r\n--b--\r\n"),
    )
    yield (
        "preamble",
        f"{TYPE}multipart/mixed; boundary=b",
        b"Content-Type: text/html\r\n\r\n" + LINK + b"\r\n--b\r\n\r\nx\r\n--b--\r\n" + LINK,
    )
    fields = b"".join(b"X-%d: y\r\n" % n for n in range(60_000 // scale))
    yield ("part-fields", *_multipart("f", fields + b"\r\nx"))
    yield ("no-blank-line", *_multipart("f", b"Content-Type: text/html"))
    yield (
        "related",
        *_multipart(
            "r", *[b"Content-Type: text/html\r\n\r\n" + LINK] * 60, kind="related; start=x"
        ),
    )


def nested_same(depth: int) -> bytes:
    """Every multipart with the boundary of the one around it."""
    return b"--w\r\nContent-Type: multipart/mixed; boundary=w\r\n\r\n" * depth


def _prefixes() -> tuple[str, bytes]:
    """Each boundary is the beginning of the next: a slack comparison takes one for another."""
    lines = [
        b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n" % (b"p" * n, b"p" * (n + 1))
        for n in range(1, 68)
    ]
    return f"{TYPE}multipart/mixed; boundary=p", b"\r\n".join(lines) + b"\r\ntext\r\n"


def _html(scale: int) -> Iterator[Body]:
    n = 100_000 // scale
    shapes = {
        "divs": b"<div>" * n + LINK,
        "divs-closed": b"<div>" * n + LINK + b"</div>" * n,
        "tables": b"<table><tr><td>" * n + LINK,
        "tables-unfinished": b"<table>" * n + LINK,
        "foster": b"<table>" + (b"x<b>" + LINK) * (n // 20) + b"</table>",
        "formatting": b"<b><i><a href=http://a.test>" * (n // 4) + b"<p>" * (n // 10),
        "adoption": b"<a href=http://a.test><p>" * (n // 4) + b"</a>" * (n // 4),
        "font-attributes": b"".join(b"<font size=%d>" % i for i in range(n // 4)) + b"<p>x" * 500,
        "end-tags": b"</p></br></div></table>" * n,
        "select": b"<select><option>" * n + LINK,
        "lists": b"<ul><li>" * n + LINK,
        "quotes": b"<blockquote>" * n + LINK + b"</blockquote>" * n,
        "buttons": b"<button><p>" * (n // 2),
        "rubies": b"<ruby><rt><rp>" * (n // 2),
        "headings": b"<h1><h2>" * n,
        "framesets": b"<frameset>" * n,
        "bodies": b"".join(b'<body a%d="x">' % i for i in range(n // 2)),
        "htmls": b"<html lang=x>" * n,
        "comment": b"x<!-- " + b"-" * n + LINK,
        "comments": b"<!--" * n + LINK,
        "comment-ends": b"<!-->" * n + b"--!>" * n + LINK,
        "declarations": b"<!" * n + b"<?" * n + LINK,
        "conditional": b"<!--[if mso]>" * n + LINK + b"<![endif]-->" * n,
        "downlevel": b"<![if !mso]>" * n + LINK + b"<![endif]>" * n,
        "cdata": b"<svg><![CDATA[" + b"]]" * n + LINK,
        "attribute": b'<a href="http://a.test/' + b"x" * (10 * n) + b'">x</a>',
        "attribute-unclosed": b'<a href="' + b"&amp;" * n + LINK,
        "attributes": b"<a " + b" ".join(b"a%d=1" % i for i in range(n)) + b" href=http://a>x</a>",
        "same-attributes": b"<a " + b"href=http://a.test/ " * n + b">x</a>",
        "slashes": b"<a" + b"/" * n + b"href=//a.test>x</a>",
        "lesser": b"<" * n + LINK,
        "greater": b">" * n + LINK,
        "tag-open": b"<a href=http://a.test" * n,
        "entities": b"&amp;&#x41;&notin;&#xD800;&#1114112;&bogus" * (n // 4) + LINK,
        "entity-digits": b"&#" + b"9" * (5 * n) + b";" + LINK,
        "entities-in-links": b'<a href="&#104;ttp&colon;//a.test&#x2f;&Tab;x&NewLine;">x</a>' * 2000,
        "svg": b"<svg>" * n + b'<a xlink:href="http://a.test">x</a>',
        "mathml": b"<math><mi>" * n + b'<annotation-xml encoding="text/html">' + LINK,
        "foreign": b"<svg><foreignObject><math><mtext><svg>" * (n // 5) + LINK,
        "svg-links": b"<svg>" + b'<a xlink:href="http://a.test">' * (n // 20) + b"text " * (8 * n),
        "vml-links": b"<v:a href=http://a.test>" * (n // 20) + b"text " * (8 * n),
        "templates": b"<template>" * n + LINK,
        "scripts": b"<script>" + b"<!--<script>" * n + LINK,
        "script": b"<script>document.write('" + LINK * 100 + b"')</script>",
        "styles": b"<style>" + b"a{b:url(http://a.test)}" * n,
        "style": b"<p style='" + b"background:url(http://a.test);" * n + b"'>x",
        "title": b"<title>" + b"</titl" * n + LINK,
        "textarea": b"<textarea>" + LINK * 100,
        "plaintext": b"<plaintext>" + LINK * 100,
        "xmp": b"<xmp><noembed><noframes><noscript><iframe>" + LINK * 100,
        "links": LINK * (20_000 // min(scale, 10)),
        "nested-links": b'<a href="http://a.test">' * n,
        "empty-links": b"<a href=http://a.test></a>" * (n // 10),
        "areas": b'<map><area href="http://a.test">' * (n // 10),
        "forms": b'<form action="http://a.test"><button formaction=http://b.test>' * (n // 10),
        "images": b'<img src="http://a.test/x.gif" usemap=#x srcset="http://b.test 1x">' * (n // 10),
        "meta": b'<meta http-equiv=refresh content="0;url=http://a.test">' * 2_000 + LINK,
        "meta-charset": b'<meta charset=utf-7>+ADw-a href=+ACI-http://a.test+ACI-+AD4-x' + LINK,
        "base": b'<base href="http://a.test/">' * 2_000 + b'<a href="x">x</a>' * 2_000,
        "bare-links": b"http://a.test/" * (n // 10) + b" www.example.net " * 2_000,
        "spaces": b" " * 80_000 + LINK + b"\t" * 80_000,
        "breaks": b"<br>" * n + b"\r\n" * n,
        "no-break": b"&nbsp;" * n + "\u00a0".encode() * n + LINK,
        "nul": b"<a\0 href\0=\0http://a.test\0>x\0</a>\0" * 500,
        "carriage": b"<a\rhref='http:\r//a.test'>x</a\r>" * 500,
        "quoted-reply": b"<div class=gmail_quote>" * (n // 4) + LINK,
        "outlook": b"<div style='border-top:solid'><b>From:</b> x<br><b>Sent:</b> y" * (n // 10),
        "processing": b"<o:p></o:p><v:shape href=http://a.test>" * (n // 10),
        "hidden": b"<div style='display:none'>" * (n // 4) + LINK,
        "unfinished-tag": b'x <a href="http://a.test" ',
        "unfinished-entity": b"<a href=http://a.test>&",
        "empty": b"",
    }  # fmt: skip
    for name, body in shapes.items():
        yield f"html-{name}", HTML, body
    for n_, scheme in enumerate(SCHEMES):
        yield f"html-scheme-{n_}", HTML, b'<a href="%s">%s</a>' % (scheme, scheme)
    every = b"".join(b"<p><a href='%s'>x</a> %s</p>\r\n" % (s, s) for s in SCHEMES)
    yield "html-schemes", HTML, every


SCHEMES = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in (
        "javascript:alert(1)", "JaVaScRiPt&colon;alert(1)", "data:text/html;base64,PGI+", "//a.test",
        "http:", "http://", "http:///", "https:a.test", "http:\\\\a.test\\x", "ht\ttp://a.test",
        "http://a.test@b.test", "http://a.test:99999/", "http://[::1]/", "http://[::1", "http://]/",
        "http://%61.test", "http://0x7f.1", "http://a.test/\x00x", "http://a.test/\u202eexe",
        "http://\u0430pple.test", "http://xn--a", "http://xn--\u00e9.test", "http://a\u3002test/",
        "http://" + "a." * 4_000 + "test", "http://" + "x" * 70_000, "http://a.test/" + "%" * 9_000,
        "mailto:a@b.test?subject=x", "tel:1", "ftp://a.test", "cid:x", "file:///etc", "vbscript:x",
        "http://a b.test/", " http://a.test ", "\x01http://a.test", "#x", "?x", "/x", "", "http:a",
        "view-source:http://a.test", "blob:http://a.test", "ms-word:ofe|u|http://a.test", "\ud800",
        "http://\ud83d.test", "http://a.test/\ud800", "http://\u00ad\u200b.test", "HTTP://A.TEST",
        "http://user:pass@a.test:80/;p?q#f", "http://a.test/{}|\\^`<>", "http://a..test", "http://.",
        "https://mailguard.example.org/", "http://127.0.0.1:8025/link/AAAA", "www.a.test", "a.test",
    )
)  # fmt: skip


def _texts(scale: int) -> Iterator[Body]:
    n = 100_000 // scale
    yield "text-spaces", PLAIN, b" " * 80_000 + b"x" + b"\r\n" * 80_000
    yield "text-quotes", PLAIN, b">" * (5 * n) + b"\r\nx"
    yield "text-quoted-lines", PLAIN, b"> x\r\n" * n
    yield "text-original", PLAIN, b"-----Original Message-----\r\nFrom: x\r\n" * n
    yield "text-wrote", PLAIN, b"On Monday, x wrote:\r\n" * n
    yield "text-on", PLAIN, b"On " * n
    yield "text-signature", PLAIN, b"-- \r\n" * n
    yield "text-urls", PLAIN, b"http://a.test/x " * n
    yield "text-www", PLAIN, b"www." * n
    yield "text-http", PLAIN, b"http://" * n
    yield "text-at", PLAIN, b"a@b." * n + b"@" * n
    yield "text-brackets", PLAIN, b"http://a.test/" + b"(" * n + b")" * n + b"[" * n
    yield "text-dots", PLAIN, b"http://a.test/" + b"." * n + b"a." * n
    yield "text-colons", PLAIN, b":" * n + b"//" * n
    yield "text-line", PLAIN, b"x" * (1_000_000 // scale)
    yield (
        "text-gtube",
        PLAIN,
        b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X",
    )
    yield "text-nul", PLAIN, b"\0" * n + b"http://a\0.test"
    yield "text-cr", PLAIN, b"x\r" * n
    yield "text-lf", PLAIN, b"x\n" * n
    yield "text-crs", PLAIN, b"\r\r\n" * n
    yield "text-dotlines", PLAIN, b".\r\n..\r\n" * n
    yield "text-empty", PLAIN, b""
    yield (
        "text-tricks",
        PLAIN,
        "\u202e\u2066\u200b\u200d\ufeff\u2028\u2029\x85\x1b[2J\ufffe".encode() * 99,
    )
    yield "text-marks", PLAIN, ("a" + "\u0301" * n).encode()
    yield (
        "text-homoglyphs",
        PLAIN,
        "Ѕylvia Aѕpen \U0001d54a\uff33 http://\u0435x\u0430mple.org".encode() * 99,
    )
    yield "text-surrogates", PLAIN, b"\xed\xa0\x80\xed\xb0\x80 http://a.test/\xed\xa0\x80" * 99
    yield "text-overlong", PLAIN, b"\xc0\xae\xf8\x88\x80\x80\x80\xff\xfe" * 999
    flowed = PLAIN + "; format=flowed; delsp=yes"
    yield "flowed", flowed, b"http://a.test/ \r\nx \r\n" * (n // 10)
    yield "flowed-spaces", flowed, b" \r\n" * n
    yield "flowed-quotes", flowed, b">>> http://a.test \r\n>> x\r\n" * (n // 10)
    yield "flowed-last", flowed, b"http://a.test/ \r\n"
    yield "text-pgp", PLAIN, b"-----BEGIN PGP SIGNED MESSAGE-----\r\n" * 1_000


CHARSETS = (
    "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-7", "iso-2022-jp", "iso-2022-kr", "hz",
    "iso-2022-jp-2", "iso-2022-cn", "gb18030", "big5", "euc-kr", "shift_jis", "cp037", "ebcdic",
    "unicode_escape", "rot13", "hex", "base64", "zlib", "bz2", "punycode", "idna", "undefined",
    "mbcs", "utf-8-sig", "unicode-1-1-utf-7", "x-unknown", "", "''", "utf-8*", "../../etc/passwd",
    "a" * 5_000, "\u00fctf-8", "x\x00y", "latin-1", "ascii", "koi8-r", "mac-roman", "cp65001", "tactis",
    "quopri", "uu", "raw_unicode_escape", "palmos", "ptcp154", "utf8mb4", "johab", "cp864", "cp720",
)  # fmt: skip
_ESCAPES = (
    b"\x1b$B$3$l\x1b(B http://a.test ", b"+ADw-a href=http://a.test+AD4-", b"~{<:Ky2;~}", b"\x0e\x0f",
    b"\x1b$)C\x0e", b"\xff\xfe<\0a\0", b"\xfe\xff\0<", b"\xef\xbb\xbf", b"\x81\x30\x81\x30", b"\x80",
    b"\xa1", b"\x00\xd8", b"+2AA-", b"+AAAAAA", b"~", b"\x1b", b"\\N{BULLET}", b"\\ud800", LINK,
)  # fmt: skip


def _encodings(scale: int) -> Iterator[Body]:
    n = 100_000 // scale
    mixed = b" ".join(_ESCAPES)
    for kind in ("plain", "html"):
        for number, name in enumerate(CHARSETS):
            yield f"charset-{kind}-{number}", f'{TYPE}text/{kind}; charset="{name}"', mixed
        for number, piece in enumerate(_ESCAPES):
            for name in ("utf-8", "utf-16le", "utf-7", "iso-2022-jp", "gb18030", "hz", "us-ascii"):
                header = f"{TYPE}text/{kind}; charset={name}"
                yield f"escape-{kind}-{number}-{name}", header, piece + LINK + piece
    text = LINK + "Grüße 学校 \U0001f600".encode()
    for codec in ("utf-16", "utf-16-le", "utf-32", "utf-7", "gb18030"):
        encoded = text.decode().encode(codec)
        for encoding, body in (("8bit", encoded), ("base64", base64.encodebytes(encoded))):
            header = f"{TYPE}text/html; charset={codec}\r\nContent-Transfer-Encoding: {encoding}"
            yield f"proper-{codec}-{encoding}", header, body
    for codec in ("iso-2022-jp", "iso-2022-kr", "euc-jp", "shift_jis", "hz", "johab"):
        encoded = "<a href=http://a.test>\u4e00\u4e8c</a>".encode(codec, "replace")
        yield f"proper-{codec}", f"{TYPE}text/html; charset={codec}", encoded
    for kind in ("plain", "html"):
        base = f"{TYPE}text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: "
        yield f"b64-garbage-{kind}", base + "base64", b"!@#$%^&*" * n
        yield f"b64-short-{kind}", base + "base64", base64.b64encode(LINK)[:-3]
        yield f"b64-padding-{kind}", base + "base64", b"PGEg=" * n
        yield f"b64-equals-{kind}", base + "base64", b"=" * n
        yield f"b64-line-{kind}", base + "base64", base64.b64encode(LINK * (n // 40))
        yield (
            f"b64-spaced-{kind}",
            base + "base64",
            b" ".join(base64.b64encode(LINK)[i : i + 1] for i in range(40)),
        )
        yield f"b64-then-text-{kind}", base + "base64", base64.b64encode(LINK) + b"\r\n\r\n" + LINK
        yield f"qp-equals-{kind}", base + "quoted-printable", b"=" * n + LINK
        yield (
            f"qp-soft-{kind}",
            base + "quoted-printable",
            b"=\r\n" * n + LINK.replace(b"=", b"=3D"),
        )
        yield f"qp-bad-{kind}", base + "quoted-printable", b"=ZZ=3=\n=0=" * n + LINK
        yield f"qp-spaces-{kind}", base + "quoted-printable", b" \t" * n + b"=20\r\n" + LINK
        yield f"qp-ends-{kind}", base + "quoted-printable", LINK.replace(b"=", b"=3d") + b"="
        yield f"qp-controls-{kind}", base + "quoted-printable", b"=00=0D=0A=1B=0D=\r\n=0A" * 999
        for odd in (
            "x-uuencode",
            "binary",
            "7bit",
            "8BIT",
            "(x) base64",
            '"base64"',
            "base64;x",
            "=?b?",
        ):
            yield f"encoding-{odd}-{kind}", base + odd, b"begin 644 x\r\n\xff" + LINK
        yield f"encoding-two-{kind}", base + "base64\r\nContent-Transfer-Encoding: 7bit", LINK


def _shapes(scale: int) -> Iterator[Body]:
    n = 20_000 // scale
    smime = base64.encodebytes(b"\x30\x80\x06\x09" + bytes(range(256)) * (n // 10))
    for kind in ("application/pkcs7-mime; smime-type=signed-data", "application/x-pkcs7-mime"):
        yield f"smime-{kind}", f"{TYPE}{kind}\r\nContent-Transfer-Encoding: base64", smime
    html = b"Content-Type: text/html\r\n\r\n" + LINK
    signature = b"Content-Type: application/pkcs7-signature\r\n\r\nMIIB"
    yield ("signed", *_multipart("s", html, signature, kind="signed; protocol=x"))
    yield ("signed-backwards", *_multipart("s", signature, html, kind="signed"))
    yield ("signed-alone", *_multipart("s", kind="signed"))
    yield ("encrypted", *_multipart("s", html, html, kind="encrypted"))
    status = (
        b"Content-Type: message/delivery-status\r\n\r\n" + b"Final-Recipient: rfc822; x\r\n\r\n" * n
    )
    original = b"Content-Type: message/rfc822\r\n\r\nFrom: x\r\n\r\n" + LINK
    yield (
        "dsn",
        *_multipart("d", html, status, original, kind="report; report-type=delivery-status"),
    )
    yield (
        "mdn",
        *_multipart("d", html, status, kind="report; report-type=disposition-notification"),
    )
    calendar = b"BEGIN:VCALENDAR\r\n" + b"ATTENDEE:mailto:x@y.test\r\n" * n
    yield "calendar", TYPE + "text/calendar; method=REQUEST", calendar
    calendars = b"Content-Type: text/calendar\r\n\r\n" + calendar
    yield ("calendar-part", *_multipart("c", html, calendars, kind="alternative"))
    yield "partial", TYPE + "message/partial; id=x; number=1; total=2", original
    yield "external", TYPE + "message/external-body; access-type=URL; URL=http://a.test", b"\r\n"
    yield "rfc822", TYPE + "message/rfc822", b"Content-Type: text/html\r\n\r\n" + LINK
    yield "rfc822-empty", TYPE + "message/rfc822", b""
    yield ("forwarded", *_multipart("m", html, original, original))
    yield (
        "zip",
        TYPE + 'application/zip; name="x.zip"',
        b"PK\x03\x04" + zlib.compress(b"\0" * 9_999),
    )
    yield (
        "names",
        *_multipart(
            "n",
            *(
                f'Content-Disposition: attachment; filename="{name}"\r\n\r\nx'.encode(
                    "utf-8", "surrogateescape"
                )
                for name in (
                    "../../x",
                    "x\0y",
                    "=?utf-8?b?Li4v?=",
                    "\u202egpj.exe",
                    "a" * 9_000,
                    "\\",
                    "\udcff",
                    "",
                )
            ),
        ),
    )
    yield (
        "alternatives",
        *_multipart(
            "a", *[b"Content-Type: text/plain\r\n\r\nx\r\n", html] * 20, kind="alternative"
        ),
    )
    yield (
        "text-odd",
        *_multipart(
            "a",
            b"Content-Type: text/enriched\r\n\r\n<x>",
            b"Content-Type: text/x-amp-html\r\n\r\n" + LINK,
            html,
            kind="alternative",
        ),
    )
    yield "odd-type", TYPE + "text", LINK
    yield "odd-type-2", TYPE + "text/html/x", LINK
    yield "odd-type-3", TYPE + ";" * 9_000, LINK
    yield "odd-type-4", "Content-Type : text/html", LINK
    yield "no-type", "X-Nothing: here", LINK
