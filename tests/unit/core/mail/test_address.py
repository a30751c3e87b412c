"""Mailbox lists: what is read, and that nothing two readers see differently passes as plain."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.core.mail import address


@pytest.mark.parametrize(
    ("value", "boxes"),
    [
        (b"jane@example.org", [("", "jane@example.org")]),
        (b" Jane Doe <jane@example.org>\r\n", [("Jane Doe", "jane@example.org")]),
        (b'"Doe, Jane" <jane@example.org>', [("Doe, Jane", "jane@example.org")]),
        (b'"Doe \\"J\\" Jane" <jane@example.org>', [('Doe "J" Jane', "jane@example.org")]),
        (b"Jane\r\n Doe\r\n <jane@example.org>", [("Jane Doe", "jane@example.org")]),
        (b"jane@example.org (Jane Doe)", [("Jane Doe", "jane@example.org")]),
        (b"(x) Jane (y (z)) Doe <jane@example.org> (w)", [("Jane Doe", "jane@example.org")]),
        (b"=?utf-8?q?J=C3=BCrgen?= <j@example.org>", [("Jürgen", "j@example.org")]),
        (b"=?UTF-8?Q?Foo_(Bar)?= <a@example.org>", [("Foo (Bar)", "a@example.org")]),
        (b'"=?utf-8?q?J=C3=BCrgen?=" <j@example.org>', [("Jürgen", "j@example.org")]),
        (b"a@example.org, b@example.test", [("", "a@example.org"), ("", "b@example.test")]),
        (b"a@example.org,, b@example.test,", [("", "a@example.org"), ("", "b@example.test")]),
        (b"a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        (b'"jane"@example.org', [("", "jane@example.org")]),
        (b"< jane@example.org >", [("", "jane@example.org")]),
        ("Ü <ü@bücher.test>".encode(), [("Ü", "ü@bücher.test")]),
        (b"undisclosed-recipients:;", []),
        (
            b"Team: a@example.org, B <b@example.org>;",
            [("", "a@example.org"), ("B", "b@example.org")],
        ),
        (b"d..n@example.org", [("", "d..n@example.org")]),
    ],
)
def test_what_all_read_alike(value: bytes, boxes: list[tuple[str, str]]) -> None:
    read = address.parse_mailboxes([value])
    assert [(box.display_name, box.address) for box in read.boxes] == boxes
    assert not read.ambiguous


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"alice@a.test(<bob@b.test>", "unbalanced"),
        (b"alice@a.test (<bob@b.test>)", "address-in-comment"),
        (b"<alice@a.test", "unbalanced"),
        (b"alice@a.test>", "unbalanced"),
        (b'"Alice <bob@b.test>', "unbalanced"),
        (b"alice@[192.0.2.1", "unbalanced"),
        (b"<<alice@a.test>>", "unbalanced"),
        (b"<alice@a.test> <bob@b.test>", "angle-repeated"),
        (b"<alice@a.test> bob", "text-after-address"),
        (b"alice@a.test <bob@b.test>", "unquoted-address-in-display-name"),
        (b"<@a.test,@b.test:c@d.test>", "source-route"),
        (b"alice @a.test", "space-in-address"),
        (b"alice@ a.test", "space-in-address"),
        (b"<alice@a.test\r\n b.test>", "space-in-address"),
        (b"alice(c)@a.test", "comment-in-address"),
        (b"<alice@a.test(c).b.test>", "comment-in-address"),
        (b"bob%b.test@a.test", "percent-hack"),
        (b"b.test!bob@a.test", "percent-hack"),
        (b'"bob@b.test"@a.test', "at-in-local-part"),
        (b'"bob smith"@a.test', "quoted-local-part"),
        (b"bob@b.test@a.test", "at-in-local-part"),
        (b"ali\0ce@a.test", "control-character"),
        (b"alice@a.test\x00", "control-character"),
        (b"alice@a.test\rbob@b.test", "control-character"),
        (b"alice\xff <alice@a.test>", "eight-bit"),
        (b"=?utf-8?q?alice?=@a.test", "encoded-word-in-address"),
        (b"=?utf-8?q?alice=40a.test?=", "domain-missing"),
        (b"=?utf-8?q?x=3Cb=40b.test=3E?= <a@a.test>", "encoded-word-specials"),
        (b"alice", "domain-missing"),
        (b"<alice>", "domain-missing"),
        (b"alice@", "domain-missing"),
        (b"alice@a..test", "domain-invalid"),
        (b"alice@[b@a.test]", "domain-invalid"),
        (b"alice@a.test;bob@b.test", "semicolon"),
        (b"A: B: c@d.test;", "group-nested"),
        (b"A: c@d.test", "unbalanced"),
        ("alice@a。test".encode(), "domain-invalid"),
    ],
)
def test_what_readers_differ_on_is_ambiguous(value: bytes, code: str) -> None:
    read = address.parse_mailboxes([value])
    assert code in read.defects
    assert read.ambiguous


@pytest.mark.parametrize(
    "value",
    [
        b'"alice@a.test" <bob@b.test>',
        b"=?utf-8?q?alice=40a.test?= <bob@b.test>",
        "alice＠a.test <bob@b.test>".encode(),
    ],
)
def test_another_address_shown_in_the_name_is_noted(value: bytes) -> None:
    read = address.parse_mailboxes([value])
    assert read.defects == ("address-in-display-name",)
    assert not read.ambiguous
    assert read.addresses == ("bob@b.test",)


def test_the_own_address_shown_in_the_name_is_nothing() -> None:
    for value in (b'"Bob@b.test" <bob@b.test>', b"bob@b.test <bob@b.test>"):
        assert address.parse_mailboxes([value]).defects == ()


def test_an_encoded_word_gives_no_address() -> None:
    read = address.parse_mailboxes([b"=?utf-8?q?=3Calice=40a.test=3E?="])
    assert read.addresses == ()
    assert read.boxes[0].display_name == "<alice@a.test>"


def test_several_fields_are_ambiguous_and_all_read() -> None:
    read = address.parse_mailboxes([b"a@a.test", b"b@b.test"])
    assert read.addresses == ("a@a.test", "b@b.test")
    assert read.ambiguous


def test_no_field() -> None:
    assert address.parse_mailboxes([]) == address.Mailboxes()
    assert address.parse_author([]).ambiguous


@pytest.mark.parametrize("value", [b"", b" \r\n", b"Jane Doe", b"x:;", b"Team: a@a.test;", b",,"])
def test_authors_that_are_none(value: bytes) -> None:
    assert address.parse_author([value]).ambiguous


def test_two_authors_are_read_alike() -> None:
    read = address.parse_author([b"A <A@a.test>, b@b.test"])
    assert (read.addresses, read.ambiguous) == (("a@a.test", "b@b.test"), False)


@pytest.mark.parametrize(
    ("mailbox", "key"),
    [
        ("Jane@Example.ORG", "jane@example.org"),
        ("jane@example.org.", "jane@example.org"),
        ('"jane"@example.org', "jane@example.org"),
        ('"jane doe"@example.org', '"jane doe"@example.org'),
        ("j@bücher.test", "j@xn--bcher-kva.test"),
        ("j@BÜCHER.test", "j@xn--bcher-kva.test"),
        ("j@xn--bcher-kva.test", "j@xn--bcher-kva.test"),
        ("j@\u200b", "j@\u200b"),
        ("postmaster", "postmaster"),
        ("", ""),
    ],
)
def test_normalise(mailbox: str, key: str) -> None:
    assert address.normalise(mailbox) == key


def test_parts_of_an_address() -> None:
    assert address.domain_of("a@B.test") == "b.test"
    assert address.domain_of("a") == ""
    assert address.local_part("A@b.test") == "A"
    assert address.local_part("A") == "A"


def test_past_the_limit_is_ambiguous() -> None:
    read = address.parse_mailboxes([b"a@a.test," * 10_001])
    assert len(read.boxes) == address.MAX_ADDRESSES
    assert read.ambiguous
    assert "addresses-too-many" in read.defects
    assert not address.parse_mailboxes([b"a@a.test," * 10_000]).ambiguous


@pytest.mark.parametrize(
    "value",
    [
        cost.growing(b"a@a.test,", 4_000),
        cost.growing(b'"D, J" <a@a.test>, ', 4_000),
        *(
            cost.growing(unit, 16_000 // len(unit))
            for unit in (
                *(b"<", b"(", b'"\\', b",", b"a ", b"=?a?q?", b"@", b"a@", b"(a", b"[\\", b"a:"),
                *(b" ", b"<a@b>", b"() ", b"x@y <a@b>,", b'"@" ', b"\r\n ", b":;", b"=?", b"=?,"),
                *(b"a@a.test(", b"\\", b"\xff", b"\0", b'"'),
            )
        ),
    ],
    ids=range(27),
)
def test_hostile_lists_cost_little(value: cost.Growing[bytes]) -> None:
    cost.assert_linear(value, lambda octets: address.parse_mailboxes([octets]))
