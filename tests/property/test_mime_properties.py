"""What holds for any octets: nothing raises, spans nest, fields tile the header."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailguard.core.mail import address, encoded_words, mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.path import PathError, parse_path

FRAGMENTS = [
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n ", b" ", b"\t", b"\0", b":", b";", b"=", b'"'),
    *(b"\\", b"(", b")", b"<", b">", b"@", b",", b"\xff", "ü".encode(), b"--", b"--b", b"--b--"),
    *(b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n--c\r\n", b"\r\n--bb\r\n", b"a", b"*0", b"*=", b"''"),
    *(b"From: ", b"Content-Type: ", b"multipart/mixed", b"message/rfc822", b"; boundary=", b"b"),
    *(b"; boundary*0=", b"; boundary*1=", b"; name=", b"; filename*=utf-8''%41", b"%", b"QUI="),
    *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Disposition: attachment", b"[", b"]"),
    *(b"=?utf-8?q?", b"=?utf-8?b?", b"?=", b"alice@example.org", b"Jane ", b"From x\r\n"),
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    b"Content-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=41=",
]
SAMPLE = (
    b"From: Jane <jane@example.org>\r\nSubject: x\r\nContent-Type: multipart/mixed;\r\n"
    b' boundary="b"\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\n'
    b"Content-Type: message/rfc822\r\n\r\nSubject: y\r\nContent-Type: multipart/alternative;"
    b" boundary=c\r\n\r\n--c\r\n\r\nz\r\n--c--\r\n\r\n--b\r\nContent-Disposition: attachment;"
    b' filename="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n'
)
composed = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The sample with some of its spans replaced."""
    raw = SAMPLE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        length = draw(st.integers(0, 30))
        raw = raw[:start] + draw(st.sampled_from(FRAGMENTS)) + raw[start + length :]
    return raw


messages = st.one_of(st.binary(max_size=300), composed, mutated())
small = mime.ParseLimits(parts=6, depth=2, fields=3, all_fields=8, defects=4, searched=500)
limits = st.sampled_from([mime.DEFAULT, small])


def check(message: Message) -> None:
    raw = message.raw
    root = message.root
    assert (root.path, root.start, root.end) == ("", 0, len(raw))
    for part in message.parts:
        assert 0 <= part.start <= part.body_start <= part.end <= len(raw)
        at = part.start
        for item in part.fields:
            assert item.start == at <= item.value_start <= item.end
            at = item.end
        assert raw[at : part.body_start] in (b"", b"\r\n", b"\n")
        floor = part.body_start
        for number, child in enumerate(part.children, 1):
            assert child.path == (f"{part.path}.{number}" if part.path else str(number))
            assert floor <= child.start <= child.end <= part.end
            floor = child.end
        decoded, codes = mime.decoded_body(message, part)
        assert set(codes) <= set(mime.DEFECTS)
        for count in (0, 1, 7, len(decoded)):
            assert mime.head(message, part, count) == decoded[:count]
        for text in (*part.filenames, *part.parameters.values()):
            text.encode("utf-8")
            assert len(text.splitlines()) <= 1
    paths = [part.path for part in message.parts]
    assert len(set(paths)) == len(paths)
    for defect in message.defects:
        assert defect.ambiguous == mime.DEFECTS[defect.code].ambiguous
        assert defect.where == "header" or defect.where in paths


@settings(max_examples=300, deadline=None)
@given(messages, limits)
def test_any_octets_are_a_message(raw: bytes, limit: mime.ParseLimits) -> None:
    message = mime.parse(raw, limit)
    check(message)
    assert mime.parse(raw, limit) == message
    assert isinstance(message.is_automatic, bool)


@settings(max_examples=200, deadline=None)
@given(messages)
def test_an_entity_read_alone_reads_the_same(raw: bytes) -> None:
    """What stands around an embedded message does not change what is in it."""
    outer = mime.parse(b"Content-Type: message/rfc822\r\n\r\n" + raw)
    inner = mime.parse(raw)
    embedded = outer.root.children[0]
    shift = embedded.start
    assert [p.content_type for p in embedded.walk()] == [p.content_type for p in inner.parts]
    assert [(p.start - shift, p.end - shift) for p in embedded.walk()] == [
        (p.start, p.end) for p in inner.parts
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), composed), max_size=3))
def test_any_octets_are_a_list_of_mailboxes(values: list[bytes]) -> None:
    read = address.parse_author(values)
    assert set(read.defects) <= set(address.DEFECTS)
    assert read.ambiguous == any(address.DEFECTS[code].ambiguous for code in read.defects)
    for box in read.boxes:
        key = address.normalise(box.address)
        assert address.domain_of(key) or not box.address
        (box.display_name + box.address).encode("utf-8")
        assert len(box.display_name.splitlines()) <= 1


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=40),
        composed.map(lambda inner: b"<" + inner + b">"),
        st.text(max_size=20).map(lambda inner: f"<{inner}@example.org>".encode("utf-8", "replace")),
        st.text(max_size=20).map(lambda inner: f"<a@{inner}>".encode("utf-8", "replace")),
    ),
    st.booleans(),
    st.booleans(),
)
@example(b"<=?@a>", False, False)
def test_a_path_is_read_or_refused(raw: bytes, smtputf8: bool, null_allowed: bool) -> None:
    try:
        mailbox = parse_path(raw, smtputf8=smtputf8, null_allowed=null_allowed)
    except PathError as error:
        assert error.code in (501, 553)
        assert error.text.isascii()
        return
    assert raw == f"<{mailbox}>".encode()
    assert mailbox.isprintable()
    assert mailbox.count("@") == (0 if mailbox.lower() in ("", "postmaster") else 1)
    if mailbox.count("@") == 1:
        # The list parser, as strict readers downstream, sees the same single address.
        read = address.parse_mailboxes([raw])
        assert [address.normalise(a) for a in read.addresses] == [address.normalise(mailbox)]
        # What looks like an encoded word is read in two ways in a header field alone.
        assert not read.ambiguous or "=?" in mailbox


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=80), composed))
def test_any_octets_are_words(value: bytes) -> None:
    for text in (encoded_words.decode(value), encoded_words.plain(value)):
        text.encode("utf-8")
        assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("safe", [True, False])
@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_words_are_read_back(safe: bool, text: str) -> None:
    encoded = encoded_words.encode(text)
    assert encoded.isascii()
    assert encoded.isprintable()
    if safe and text.isprintable():
        assert encoded_words.decode(encoded.encode()) == text.strip()
