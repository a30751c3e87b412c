"""The addresses that staff ask for, and what they may not ask for (R35, R37)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import cost

from mailguard.casework.unblocking.named_addresses import MOST, Named, named_addresses
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

HEAD = "From: Jane Doe <jane.doe@example.org>\r\nMIME-Version: 1.0\r\n"


def named(body: str, kind: str = "plain") -> Named:
    raw = f"{HEAD}Content-Type: text/{kind}; charset=utf-8\r\n\r\n{body}".encode("utf-8", "replace")
    message = mime.parse(raw)
    return named_addresses(message, reader.read(message), lambda domain: domain == "example.org")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("please unblock lan@home.test", ("lan@home.test",)),
        (
            "Please unblock Lan.Ruiz@Home.test, and ann@a.test.",
            ("lan.ruiz@home.test", "ann@a.test"),
        ),
        ("unblock <lan@home.test>; (ann@a.test)", ("lan@home.test", "ann@a.test")),
        ("lan@home.test\r\nlan@home.test\r\nLAN@HOME.TEST", ("lan@home.test",)),
        ("mailto:lan@home.test", ("lan@home.test",)),
        ('"Lan" lan+school@home.test!', ("lan+school@home.test",)),
        ("o'hara@home.test's mail", ()),
        ("请解封 lan@home.test，谢谢", ("lan@home.test",)),
        ("lan@bücher.test", ("lan@xn--bcher-kva.test",)),
        ("my own jane.doe@example.org and tim@example.org", ()),
        ("lan@home.test\r\n-- \r\nJane, jane@private.test", ("lan@home.test",)),
        ("lan@home.test\r\n\r\nThanks,\r\nJane Doe\r\njane@private.test", ("lan@home.test",)),
        ("lan@home.test\r\n> ann@a.test", ("lan@home.test",)),
        (
            "lan@home.test\r\n\r\nFrom: Ann <ann@a.test>\r\nSent: x\r\nTo: y\r\nSubject: z\r\n",
            ("lan@home.test",),
        ),
    ],
)
def test_single_addresses_in_the_authors_own_words(text: str, addresses: tuple[str, ...]) -> None:
    assert named(text).addresses == addresses


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("please unblock @gmail.com", ("@gmail.com",)),
        ("please unblock *@ibm.com", ("*@ibm.com",)),
        ("unblock gmail.com.", ("gmail.com",)),
        ("all of *.dss.ca.gov and ibm.com", ("*.dss.ca.gov", "ibm.com")),
        ("j*@home.test", ("j*@home.test",)),
        ("%@home.test", ("%@home.test",)),
        ("lan@[192.0.2.1]", ("lan@",)),
        ("lan@localhost", ("lan@localhost",)),
        ("lan@@home.test", ("lan@@home.test",)),
        ("a@b.test@c.test", ("a@b.test@c.test",)),
        ("lan at home.test", ("home.test",)),
        ("our own example.org", ()),
        ("see https://www.ibm.com/page", ()),
        ("meet me @ noon", ()),
        ("e.g. at 9.30", ()),
    ],
)
def test_domains_and_patterns_are_refused_and_told(text: str, refused: tuple[str, ...]) -> None:
    assert named(text) == Named((), refused)


def test_what_plain_text_and_html_do_not_both_show_is_not_asked_for() -> None:
    raw = (
        f"{HEAD}Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nlan@home.test ann@a.test\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n<p>lan@home.test tim@b.test</p>\r\n--b--\r\n"
    ).encode()
    message = mime.parse(raw)
    assert named_addresses(message, reader.read(message)).addresses == ("lan@home.test",)


def test_an_address_that_html_only_links_to_is_not_named() -> None:
    assert named('<a href="mailto:x@evil.test">lan@home.test</a>', "html").addresses == (
        "lan@home.test",
    )


def test_the_number_is_bounded() -> None:
    many = " ".join(f"a{n}@b.test" for n in range(1_000))
    assert len(named(many).addresses) == MOST
    wide = " ".join(f"@b{n}.test" for n in range(1_000))
    assert len(named(wide).refused) == MOST


PIECES = (
    "@",
    " ",
    ".",
    "*",
    "a@b.test",
    "gmail.com",
    "<",
    ">",
    "%",
    "\n",
    ",",
    "mailto:",
    "ü",
    "中",
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(st.sampled_from(PIECES)).map("".join),
    )
)
def test_whatever_is_named_is_one_address(text: str) -> None:
    found = named(text)
    for mailbox in found.addresses:
        assert mailbox.count("@") == 1
        assert not set(mailbox) & set("*%?<>,; \r\n")
    assert len(set(found.addresses)) == len(found.addresses)
    assert all("\n" not in word and "\r" not in word for word in found.refused)


@pytest.mark.parametrize("octets", [16_000, 400_000])
@pytest.mark.parametrize("unit", ["@", "a@b.test ", "a.", "*@"])
def test_hostile_text_is_read_in_linear_time(unit: str, octets: int) -> None:
    def parsed(text: str) -> tuple[Message, Reading]:
        message = mime.parse(f"{HEAD}\r\n{text}".encode())
        return message, reader.read(message)

    text = cost.growing(unit, octets // len(unit)).then(parsed)
    cost.assert_linear(text, lambda mail: named_addresses(*mail))
