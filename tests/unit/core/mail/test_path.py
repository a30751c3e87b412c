"""The envelope's path grammar: one reading, or a refusal."""

from __future__ import annotations

import pytest

from mailguard.core.mail.path import PathError, parse_path


@pytest.mark.parametrize(
    "mailbox",
    [
        "jane@example.org",
        "jane.doe+tag@example.org",
        "a=b_c-d@sub.example.org",
        '"jane"@example.org',
        '"a..b"@example.org',
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a@localhost",
        "a" * 64 + "@example.org",
    ],
)
def test_taken_as_given(mailbox: str) -> None:
    for null_allowed in (True, False):
        raw = f"<{mailbox}>".encode()
        assert parse_path(raw, smtputf8=False, null_allowed=null_allowed) == mailbox


def test_null_reverse_path_and_postmaster() -> None:
    assert parse_path(b"<>", smtputf8=False, null_allowed=True) == ""
    assert parse_path(b"<PostMaster>", smtputf8=False, null_allowed=False) == "PostMaster"
    for raw, null_allowed in ((b"<>", False), (b"<postmaster>", True)):
        with pytest.raises(PathError):
            parse_path(raw, smtputf8=False, null_allowed=null_allowed)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        *((raw, 501) for raw in (b"", b"a@b.test", b"<a@b.test", b"a@b.test>", b"<a@b.test>>")),
        *((raw, 501) for raw in (b"<<a@b.test>>", b"<a b@c.test>", b"<a@b.test >", b"< a@b.test>")),
        *((raw, 501) for raw in (b"<a@b.test> x", b"<a(c)@b.test>", b"<a@b.test(c)>", b"<(c)>")),
        *(
            (raw, 501)
            for raw in (b"<a\0@b.test>", b"<a@b.test\0>", b"<a@b.test\n>", b"<a@b.test>\n")
        ),
        *((raw, 501) for raw in (b"<a@>", b"<a>", b"<.a@b.test>", b"<a.@b.test>")),
        *((raw, 501) for raw in (b"<a..b@c.test>", b"<a@b..test>", b"<a@.b>", b"<a@b.test.>")),
        *(
            (raw, 501)
            for raw in (b"<a@-b.test>", b"<a@b-.test>", b"<a@b_c.test>", b"<a@192.0.2.1>")
        ),
        *((raw, 501) for raw in (b"<a@[300.1.1.1]>", b"<a@[x]>", b"<a@[]>", b"<a@[192.0.2.1>")),
        *((raw, 501) for raw in (b"<a@[IPv6:zz]>", b"<a@[IPv6:fe80::1%25lo]>", b'<""@b.test>')),
        (b"<" + b"a" * 65 + b"@b.test>", 501),
        (b"<a@" + b"b" * 64 + b".test>", 501),
        (b"<a@" + b"b." * 130 + b"test>", 501),
        *((raw, 553) for raw in (b"<@a.test:b@c.test>", b"<@a.test,@b.test:c@d.test>")),
        *((raw, 553) for raw in (b"<b%c.test@a.test>", b"<c.test!b@a.test>")),
        *((raw, 553) for raw in (b'<"b@c.test"@a.test>', b'<"b%c"@a.test>', b'<"b!c"@a.test>')),
        *((raw, 553) for raw in (b'<"b c"@a.test>', b'<"b\\"c"@a.test>', b'<"b,c"@a.test>')),
        *((raw, 553) for raw in (b'<"b>c"@a.test>', b'<"\r\n"@a.test>')),
        ("<ü@a.test>".encode(), 553),
    ],
)
def test_refused(raw: bytes, code: int) -> None:
    for null_allowed, enhanced in ((True, "5.1.7 "), (False, "5.1.3 ")):
        with pytest.raises(PathError) as refused:
            parse_path(raw, smtputf8=False, null_allowed=null_allowed)
        assert refused.value.code == code
        assert refused.value.text.startswith((enhanced, "5.6.7 "))
        assert refused.value.text.isascii()
        assert refused.value.text.isprintable()


@pytest.mark.parametrize("mailbox", ["ü@a.test", "ü@bücher.test", "用户@例え.test"])
def test_smtputf8(mailbox: str) -> None:
    raw = f"<{mailbox}>".encode()
    assert parse_path(raw, smtputf8=True, null_allowed=True) == mailbox
    with pytest.raises(PathError, match=r"553 5\.6\.7"):
        parse_path(raw, smtputf8=False, null_allowed=True)


@pytest.mark.parametrize(
    "raw",
    [
        b"<\xff@a.test>",
        "<a＠b@a.test>".encode(),  # NFKC makes an @ of it
        "<a％b@a.test>".encode(),
        "<a\u200bb@a.test>".encode(),
        "<a\u202eb@a.test>".encode(),
        "<a\u2028b@a.test>".encode(),
        "<a\u0085b@a.test>".encode(),
        "<a@b。test>".encode(),
        "<a@b\u200b.test>".encode(),
        "<a@☃☃.test>".encode(),
        b"<a@" + "ü".encode() * 130 + b">",
    ],
)
def test_unicode_tricks(raw: bytes) -> None:
    with pytest.raises(PathError):
        parse_path(raw, smtputf8=True, null_allowed=False)
