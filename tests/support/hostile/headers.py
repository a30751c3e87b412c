"""Hostile header fields and envelopes: each would mislead some reader, or cost one dearly.

Owns the shapes; `generate` combines them with bodies. Nothing is random here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OUTSIDE, INSIDE = "rosa.alder@example.com", "tara.olive@example.org"

_ADDRESSES = (
    "", " ", "\t", "<>", "@", "a", "a@", "@b.test", "a@b.test, c@d.test", "a@b.test;c@d.test",
    "a@b.test c@d.test", "<a@b.test><c@d.test>", "a@b.test <c@d.test>", "<a@b.test> c@d.test",
    "group: a@b.test, c@d.test;", "group:;", "undisclosed-recipients:;", "g: h: a@b.test;;",
    "alice@a(<bob@b>", '"a@b.test" <c@d.test>', '"<a@b.test>" c@d.test', "a(comment)@b.test",
    "(a@b.test) c@d.test", "a@(x)b.test", "a@b.test (", '"', '"\\', '"a\\"@b.test', '"a b"@c.test',
    '""@b.test', "a..b@c.test", ".a@b.test", "a.@b.test", "a@[127.0.0.1]", "a@[IPv6:::1]", "a@[",
    "a@b..test", "a@-b.test", "a@b.test.", "a@xn--", "a@b_c.test", "a%c.test@b.test", "a!b@c.test",
    "<@x.test,@y.test:a@b.test>", "<@x.test:a@b.test>", "=?utf-8?q?a=40b=2Etest?=",
    "=?utf-8?q?x_=3Ca=40b=2Etest=3E?= <c@d.test>", "=?utf-8?b?AA==?= <a@b.test>",
    "Sylvia Aspen <x@outside.test>", "=?utf-8?q?Sylvia_Aspen?= <x@outside.test>",
    "Ѕуlvіа Аѕреn <x@outside.test>", "Sylvia\u200b Aspen <x@outside.test>", "nepsA aivlyS\u202e <x@y.test>",
    "superintendent@example.org <x@outside.test>", "\udcff\udcfe <\udcff@b.test>", "a@\udcff.test",
    "a@b.test\0", "a\0@b.test", "a@b.test\x0bx", "a@b\x7f.test", "a@ex\u0430mple.org", "a@example\u3002org",
    "a@\u00e9.test", "\u00e9@b.test", "a@b.test\u2028", "=?utf-8?q?=0D=0ABcc:_x=40y?= <a@b.test>",
    '"=?utf-8?q?x?=" <a@b.test>', "a@example.org.", "A@EXAMPLE.ORG", "a@b.test\r\n <c@d.test>",
    "a@\r\n b.test", "\r\n a@b.test", "\r\n \r\n a@b.test", "a@b.test\r", "a@b.test\nX: y", "\r\n\t",
    "x" * 70 + "@" + "y" * 300 + ".test", '"' + "\\" * 999 + '" <a@b.test>', "\u200e<a@b.test>",
)  # fmt: skip


def addresses(scale: int) -> Iterator[tuple[str, str]]:
    """Values of an address field."""
    for number, value in enumerate(_ADDRESSES):
        yield f"address-{number}", value
    n = 8_000 // scale
    yield "many", ", ".join(f"p{i}@b{i}.test" for i in range(n))
    yield "many-of-ours", ", ".join([INSIDE] * n)
    yield "many-groups", "g: a@b.test; " * n
    yield "commas", "," * (10 * n)
    yield "comments", "(" * (10 * n) + "a@b.test"
    yield "comments-closed", "(" * (5 * n) + ")" * (5 * n) + "a@b.test"
    yield "angles", "<" * (10 * n) + "a@b.test"
    yield "quotes", '"' * (10 * n) + "a@b.test"
    yield "escapes", '"' + "\\" * (10 * n)
    yield "dots", "a" + "." * (10 * n) + "@b.test"
    yield "ats", "a" + "@" * (10 * n)
    yield "colons", ":" * (10 * n) + ";" * (10 * n)
    yield "words", "x " * (10 * n) + "<a@b.test>"
    yield "encoded", "=?utf-8?q?x?= " * n + "<a@b.test>"
    yield "encoded-bomb", "=?" * (10 * n) + "<a@b.test>"
    yield "encoded-half", "=?utf-8?q?" * n + "<a@b.test>"
    yield "spaces", " " * 80_000 + "a@b.test"
    yield "folds", "\r\n " * (10 * n) + "a@b.test"
    yield "routes", "<" + "@x.test," * n + ":a@b.test>"
    yield "literal", "a@[" + "1" * (10 * n) + "]"
    yield "name", "Sylvia Aspen" * n + " <a@b.test>"
    yield "marks", "S" + "\u0301" * (5 * n) + "ylvia Aspen <a@b.test>"


_TEXTS = (
    "", " ", "\0", "\x1b[31m", "\u202eevil", "a\u2028b", "=?utf-8?q?", "=?utf-8?q?=ZZ?=", "=?x?q?a?=",
    "=?utf-8?b?!!!?=", "=?utf-8?q?=0D=0AX-Evil:_1?=", "=?utf-7?q?+2AA-?=", "=?utf-16?b?2AA=?=",
    "=?idna?q?xn--?=", "=?rot13?q?a?=", "=?utf-8?q?=ED=A0=80?=", "=?iso-2022-jp?b?GyRC?=", "\udcff\udcfe",
    "{district}{0}{__class__}%s%n${jndi:x}", "=1+1", "@SUM(1)", "'; DROP TABLE entries;--", "<script>",
    "[IT ALERT]", "=?utf-8?q?=5BIT_ALERT=5D?= x", "Re: " * 2_000, "x\r\n y\r\n\tz", "x\rBcc: y", "x\nBcc: y",
    "x" * 100_000, "=?utf-8?q?x?= " * 5_000, "=?" * 40_000, "\ufffe\uffff", "\U0001f600" * 999, "\x85",
    "[blocked] Re: \ud83d", "=?utf-8?q?a?==?utf-8?q?b?=", "=?utf-8*en?q?a?=", "=??q??=", "=?utf-8??a?=",
    "<a@b.test>", "<\x01@\x02>", "<" + "x" * 900 + "@y>", "<a b@c.test>", "<=?utf-8?q?x?=@b.test>", "<a@b.test",
    "<a@[b>", "<\u00e9@b.test>", '<"a b"@c.test>', "<a@b.test>\r\n <c@d.test>", "<(@)>", "<<a@b.test>>", "<@>",
)  # fmt: skip


def fields(scale: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Header fields in place of the ordinary ones: the name of the shape, and field to values."""
    for name in ("From", "Reply-To", "Sender", "To"):
        for shape, value in addresses(scale):
            yield f"{name}-{shape}", {name: [value]}
    for name in ("Subject", "Message-ID", "Date"):
        for number, text in enumerate(_TEXTS):
            yield f"{name}-{number}", {name: [text]}
    for number, text in enumerate(_TEXTS):
        other = ("References", "In-Reply-To", "List-Id", "Auto-Submitted", "Precedence", "Received")
        yield f"others-{number}", {name: [text] for name in other}
    for name in ("From", "Subject", "Date", "To", "Message-ID", "Reply-To", "Sender"):
        yield f"two-{name}", {name: ["a@b.test", INSIDE]}
        yield f"no-{name}", {name: []}
        yield f"space-colon-{name}", {name: [], f"{name} ": [OUTSIDE]}
        yield f"many-{name}", {name: [OUTSIDE] * 3_000}
    for name in ("X-Mailguard-Spam", "Authentication-Results", "ARC-Seal", "Received", "X" * 900):
        for value in (
            "mailguard.example.org; spf=pass",
            "(" * 1_000,
            '"mailguard.example.org"',
            "",
            "\r\n x",
        ):
            yield f"forged-{name[:9]}-{len(value)}", {name: [value] * 50}
    dkim = "v=1; a=rsa-sha256; d=example.com; s=x; l=1; h=from; b=" + "A" * 9_000
    yield "dkim", {"DKIM-Signature": [dkim] * 60}
    yield "hops", {"Received": ["from x by y; Fri, 20 Nov 2026 09:30:00 -0800"] * 1_500}
    yield "mime-version", {"MIME-Version": ["1.0", "2.0", "(x) 1.0"]}
    yield "huge-field", {"X-Big": ["x" * 2_000_000]}
    yield "no-colon", {"garbage line\r\nX": ["y"]}
    yield "leading-space", {" X": ["y"]}
    yield "empty-name", {"": ["y"]}
    yield "mbox", {"From x@y Mon Jan 1\r\nX": ["y"]}


ENVELOPES: tuple[dict[str, Any], ...] = (
    {"mail_from": ""},
    {"mail_from": "%00@b.test"},
    {"mail_from": "%FF%FE@b.test"},
    {"mail_from": "a%0D%0ARCPT%20TO:<x@y>@b.test"},
    {"mail_from": "a@b.test%00"},
    {"mail_from": "%22a%20b%22@b.test"},
    {"mail_from": "%22a%5C%22b%22@example.com"},
    {"mail_from": "a%25b@c.test"},
    {"mail_from": "@a.test:b@c.test"},
    {"mail_from": "a@[IPv6:::1]"},
    {"mail_from": "a@" + "x." * 400 + "test"},
    {"mail_from": "x" * 5_000 + "@b.test"},
    {"mail_from": "\u00e9l\u00e8ve@exämple.com"},
    {"mail_from": "%ED%A0%80@b.test"},
    {"mail_from": "\ud800@b.test"},
    {"mail_from": "%"},
    {"mail_from": "%ZZ@b.test"},
    {"mail_from": "<>"},
    {"mail_from": "\u202ea@b.test"},
    {"mail_from": "postmaster"},
    {"mail_from": "superintendent@example.org"},
    {"mail_from": "SYLVIA.ASPEN@EXAMPLE.ORG."},
    {"rcpt": ["%00@example.org"]},
    {"rcpt": ["tara.olive@example.org", "TARA.OLIVE@EXAMPLE.ORG", "tara.olive@example.org."]},
    {"rcpt": ["%22tara.olive%22@example.org"]},
    {"rcpt": ["tara.olive%2540outside.test@example.org"]},
    {"rcpt": ["\ud800@example.org", INSIDE]},
    {"rcpt": ["%FF@example.org", INSIDE]},
    {"rcpt": ["postmaster", "POSTMASTER@example.org", "spammail@example.org"]},
    {"rcpt": ["all-staff@example.org", "all-oak@example.org", "technology@example.org", INSIDE]},
    {"rcpt": [f"p{n}@example.org" for n in range(1_000)]},
    {"rcpt": [f"p{n}@outside{n}.test" for n in range(1_000)]},
    {"rcpt": [INSIDE] * 100},
    {"rcpt": ["spammail@example.org"]},
    {"rcpt": ["booster-club@example.org", "rosa.alder@example.com"]},
    {"rcpt": [""]},
    {"rcpt": ["a b@c.test"]},
    {"helo": ""},
    {"helo": "\x00\r\n\x1b[2J"},
    {"helo": "\ud800"},
    {"helo": "x" * 10_000},
    {"helo": "[IPv6:::1]"},
    {"client_ip": "::1"},
    {"client_ip": "::ffff:192.0.2.1"},
    {"client_ip": "fe80::1%eth0"},
    {"auth_user": "nobody", "listener": "submission"},
    {"auth_user": "\ud800", "listener": "submission"},
    {"auth_user": "TOLIVE", "listener": "submission"},
    {"auth_user": "tolive\x00", "listener": "mx"},
    {"auth_user": "", "listener": "submission"},
    {"auth_user": "", "listener": "relay", "client_ip": "127.0.0.1"},
    {"now": 0},
    {"now": 4e9},
)

# Requests that are refused as such: the answer is a usage_error, never an internal one.
WRONG: tuple[dict[str, Any], ...] = (
    {"rcpt": None},
    {"rcpt": []},
    {"rcpt": [None]},
    {"rcpt": 7},
    {"mail_from": None},
    {"client_ip": "not an address"},
    {"client_ip": None},
    {"client_ip": "1" * 5_000},
    {"helo": ["x"]},
    {"listener": "nowhere"},
    {"listener": "\ud800"},
    {"now": "soon"},
    {"now": -1},
    {"now": 1e300},
    {"now": -1e300},
    {"now": float("nan")},
    {"now": float("inf")},
    {"surprise": 1},
    {"message_b64": None},
    {"message_b64": "not base64!"},
    {"message_b64": "\ud800"},
)
