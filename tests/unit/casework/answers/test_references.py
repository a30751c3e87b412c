"""Where answers carry our references back (R18, R28, R30)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailguard.casework.answers import references
from mailguard.casework.answers.token import Token, token
from mailguard.core.mail import mime
from mailguard.core.text import reader

ONE, TWO, THREE, FOUR = (token([b"k"], n, 1, "about") for n in (1, 2, 3, 4))
ID = "01JQ3K5V7XZ8A9BCDEFGHJKMNP"


def found(fields: str, body: str = "", kind: str = "plain") -> tuple[Token, ...]:
    raw = f"{fields}Content-Type: text/{kind}\r\n\r\n{body}".encode()
    message = mime.parse(raw)
    return references.references(message, reader.read(message))


def test_the_places_in_the_order_of_their_worth() -> None:
    fields = (
        f"Subject: Re: [#{THREE}] x\r\nIn-Reply-To: <mailguard.{ONE}@example.org>\r\n"
        f"References: <other@x.test> <mailguard.{TWO}@example.org>\r\n"
        f" <mailguard.{ONE}@example.org>\r\n"
    )
    assert found(fields, f"Yes\r\n> Reference: {FOUR}\r\n") == (ONE, TWO, THREE, FOUR)


def test_each_place_alone() -> None:
    assert found(f"In-Reply-To: <mailguard.{ONE}@example.org>\r\n") == (ONE,)
    assert found(f"References: <a@b> <mailguard.{ONE}@example.org>\r\n") == (ONE,)
    assert found(f"Subject: =?utf-8?q?Re=3A_[#{ONE}]?=\r\n") == (ONE,)
    assert found("", f"<p>Reference: <b>{ONE}</b></p>", "html") == (ONE,)


def test_what_is_no_token_or_stands_elsewhere_is_not_taken() -> None:
    assert found(f"In-Reply-To: <other.{ONE}@example.org>\r\nSubject: {ONE}\r\n", f"{ONE}") == ()
    assert found("In-Reply-To: <mailguard.1-1-ABCDEFGHIJKLMNOP@x>\r\n") == ()
    assert found("In-Reply-To: <mailguard.1-1-abc@x>\r\nSubject: [#1-1]\r\n") == ()


def test_the_newest_references_are_read_of_a_long_field() -> None:
    old = " ".join(f"<mailguard.{token([b'k'], n, 1, '')}@example.org>" for n in range(900))
    tokens = found(f"References: {old} <mailguard.{ONE}@example.org>\r\n")
    assert tokens[0] == ONE
    assert len(tokens) <= 50


def transactions(fields: str, body: str = "") -> tuple[str, ...]:
    message = mime.parse(f"{fields}\r\n{body}".encode())
    return references.transactions(message, reader.read(message))


def test_ids_of_transactions_in_notices_and_their_forwards() -> None:
    assert transactions(f"In-Reply-To: <{ID}.spam-blocked@example.org>\r\n") == (ID,)
    assert transactions(
        "Subject: Fwd\r\n", f"> please quote {ID}.  Thank you\r\n> Reference: {ID}"
    ) == (ID,)
    assert transactions("Subject: x\r\n", f"a{ID} {ID}b {ID.lower()} {ID[:-1]}") == ()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"In-Reply-To: ", b"References: ", b"Subject: ", b""])
)
def test_any_octets_are_read(octets: bytes, name: bytes) -> None:
    message = mime.parse(name + octets)
    reading = reader.read(message)
    references.references(message, reading)
    references.transactions(message, reading)
