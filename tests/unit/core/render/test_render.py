"""Edits carried out byte for byte."""

import base64
import quopri

import pytest

from mailguard.core.decision.edit import AddField, Phase, RemoveField, ReplaceText
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.render import render, splice
from mailguard.core.text import reader

HTML = (
    "<html><body>\r\n<p>One \u2013 two = three " + "word " * 30 + "</p>\r\n"
    '<p><a href="https://a.test/?x=1&amp;y=2">here</a> and there</p> \r\n.\r\n</body></html>\r\n'
)


def single(kind: str, encoding: str, body: bytes) -> Message:
    header = f"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
    if encoding:
        header += f"Content-Transfer-Encoding: {encoding}\r\n"
    return mime.parse(header.encode() + b"X-Last: 1\r\n\r\n" + body)


def encoded(text: str, charset: str, encoding: str) -> bytes:
    data = text.encode(charset)
    if encoding == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return splice.to_quoted_printable(data)
    return data


def edited(message: Message, old: str, new: str) -> bytes:
    """Replace `old`, check the outcome against the plan, give it back."""
    text = reader.read(message).texts[0].text
    at = text.index(old)
    edits = [ReplaceText("", at, at + len(old), new)]
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    return rendered


def test_no_edits_give_the_same_bytes() -> None:
    raw = b"broken \xff\r\n\r\n\x80"
    assert render.render(mime.parse(raw), ()) == raw


@pytest.mark.parametrize("encoding", ["8bit", "binary", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize(
    "new", ["", "x", "https://links.example.org/l/" + "t" * 120, "a\r\nb=c \u00e9"]
)
def test_every_encoding_and_charset(encoding: str, charset: str, new: str) -> None:
    if charset.startswith("utf-16") and encoding != "base64":
        return
    message = single(f"text/html; charset={charset}", encoding, encoded(HTML, charset, encoding))
    rendered = edited(message, "https://a.test/?x=1&amp;y=2", new)
    body = rendered.partition(b"\r\n\r\n")[2]
    assert rendered.startswith(message.raw[: message.root.body_start])
    if encoding != "8bit":
        assert encoding == "binary" or splice.longest_line(body) <= 76


def test_quoted_printable_keeps_every_other_byte() -> None:
    body = b'caf=E9 =\r\n=3Ca href=3D"https://a.test/">x</a=\r\n> end=20\r\nlast=\r\n'
    message = single("text/html; charset=iso-8859-1", "quoted-printable", body)
    new = "https://links.example.org/l/" + "t" * 90
    rendered = edited(message, "https://a.test/", new).partition(b"\r\n\r\n")[2]
    assert rendered.startswith(b'caf=E9 =\r\n=3Ca href=3D"')
    assert rendered.endswith(b'">x</a=\r\n> end=20\r\nlast=\r\n')
    assert splice.longest_line(rendered) <= 76


def test_an_insertion_at_each_place_of_quoted_printable() -> None:
    body = b"a=\r\n=C3=A9b\r\n\r\n  =20\r\nc=3D" + b"x" * 70 + b"=\r\nyy\r\n"
    message = single("text/plain; charset=utf-8", "quoted-printable", body)
    text = reader.read(message).texts[0].text
    for at in range(len(text) + 1):
        for new in ("N", "NN=\r\nN ", "\u00e9" * 30):
            edits = [ReplaceText("", at, at, new)]
            rendered = render.render(message, edits)
            assert render.verify(message, rendered, edits) is None
            assert splice.longest_line(rendered) <= 78
            made = mime.parse(rendered)
            decoded = quopri.decodestring(rendered[made.root.body_start :])
            assert decoded.decode() == text[:at] + new + text[at:]


def test_base64_keeps_the_lines_before() -> None:
    body = base64.encodebytes(b"<p>" + b"x" * 300 + b"</p>END").replace(b"\n", b"\r\n")
    message = single("text/html; charset=utf-8", "base64", body)
    rendered = edited(message, "END", "THE END").partition(b"\r\n\r\n")[2]
    kept = 300 // 57 * 78
    assert rendered[:kept] == body[:kept]


def test_odd_base64_is_written_anew() -> None:
    message = single("text/html; charset=utf-8", "base64", b"PHA+\r\n  RU5E!!PC9\r\nwPg==\r\n")
    rendered = edited(message, "END", "X")
    assert base64.b64decode(rendered.partition(b"\r\n\r\n")[2]) == b"<p>X</p>"


def test_html_in_ascii_takes_any_character() -> None:
    message = single("text/html; charset=us-ascii", "7bit", b"<p>END</p>\r\n")
    rendered = edited(message, "END", "caf\u00e9 \u2013")
    assert rendered.endswith(b"<p>caf&#233; &#8211;</p>\r\n")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain; charset=us-ascii",
        'text/plain; charset="ISO-8859-1"; format=flowed',
        "text/plain",
    ],
)
def test_plain_text_that_cannot_carry_it_is_written_anew(kind: str) -> None:
    message = single(kind, "7bit", b"one = 1\r\nEND\r\n")
    rendered = edited(message, "END", "\u4f60\u597d")
    made = mime.parse(rendered)
    assert made.root.charset == "utf-8"
    assert made.root.transfer_encoding == "quoted-printable"
    assert rendered.count(b"Content-Type") == rendered.count(b"Content-Transfer-Encoding") == 1
    assert b"X-Last: 1\r\n" in rendered
    assert ("flowed" in kind) == (b"format=flowed" in rendered)


def test_a_message_without_mime_fields_gets_them() -> None:
    message = mime.parse(b"From: a@example.org\r\n\r\nEND\r\n")
    rendered = edited(message, "END", "\u00e9")
    assert rendered == (
        b"From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"
    )


def test_a_stateful_charset_is_written_anew() -> None:
    text = "\u3053\u3093 END \u306b\u3061\u306f\r\n"
    message = single("text/plain; charset=iso-2022-jp", "7bit", text.encode("iso-2022-jp"))
    made = mime.parse(edited(message, "END", "\u7d42"))
    assert reader.read(made).texts[0].text == text.replace("END", "\u7d42")


def test_a_line_that_would_be_too_long_is_written_anew() -> None:
    message = single("text/plain", "7bit", b"x" * 900 + b" END\r\n")
    rendered = edited(message, "END", "y" * 200)
    assert splice.longest_line(rendered) <= 76


def test_wrongly_declared_utf8_keeps_its_bytes() -> None:
    body = b"<p>\xff\xfe caf\xc3\xa9 END</p>\r\n"
    message = single("text/html; charset=utf-8", "8bit", body)
    assert edited(message, "END", "X").endswith(b"<p>\xff\xfe caf\xc3\xa9 X</p>\r\n")


def test_only_the_named_part_changes() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
        b"Content-Type: text/plain\r\n"
        b"\r\none END\r\n--b \r\nContent-Type: text/html\r\n\r\n<p>END</p>\r\n--b--\r\nepilogue"
    )
    message = mime.parse(raw)
    edits = [ReplaceText("1", 4, 7, "X\r\nY")]
    rendered = render.render(message, edits)
    assert rendered == raw.replace(b"one END", b"one X\r\nY")
    assert render.verify(message, rendered, edits) is None


def test_fields_are_added_on_top_and_removed_whole() -> None:
    raw = b"A: 1\r\nForged: x\r\n y\r\nB: 2\r\n\r\nbody"
    message = mime.parse(raw)
    (forged,) = message.fields("Forged")
    edits = [
        AddField("X-One", "first " + "word " * 30),
        RemoveField(forged.start, forged.end),
        AddField("X-Two", "2"),
    ]
    rendered = render.render(message, edits)
    assert rendered.startswith(b"X-One: first word")
    assert b"\r\nX-Two: 2\r\nA: 1\r\nB: 2\r\n\r\nbody" in rendered
    assert splice.longest_line(rendered) <= 78
    assert render.verify(message, rendered, edits) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nB: c"), ("X", "\u00e9"), ("X Y", "z"), ("", "z"), ("X", "a\x00")],
)
def test_a_field_that_would_inject_is_refused(name: str, value: str) -> None:
    with pytest.raises(render.RenderError):
        render.render(mime.parse(b"A: 1\r\n\r\n"), [AddField(name, value)])


def test_order_and_overlap() -> None:
    message = mime.parse(b"A: 1\r\n\r\nabcdef")
    insert = [
        ReplaceText("", 2, 2, "[disclaimer]", Phase.APPEND),
        ReplaceText("", 2, 4, "[link]"),
        ReplaceText("", 2, 2, "[first]"),
        ReplaceText("", 4, 6, ""),
    ]
    assert render.render(message, insert).endswith(b"ab[first][disclaimer][link]")
    for other in (
        ReplaceText("", 3, 3, "x"),
        ReplaceText("", 3, 5, "x"),
        ReplaceText("", 2, 4, "[link]"),
    ):
        with pytest.raises(render.OverlapError):
            render.render(message, [insert[1], other])


@pytest.mark.parametrize(
    "edit", [ReplaceText("9", 0, 0, "x"), ReplaceText("", 0, 99, "x"), ReplaceText("", 3, 1, "x")]
)
def test_an_edit_that_fits_nothing_is_our_defect(edit: ReplaceText) -> None:
    with pytest.raises(render.RenderError):
        render.render(mime.parse(b"A: 1\r\n\r\nabc"), [edit])


def test_verify_sees_what_went_wrong() -> None:
    message = mime.parse(b"A: 1\r\n\r\nabc")
    edits = [ReplaceText("", 0, 1, "x")]
    assert render.verify(message, b"A: 1\r\n\r\nabc", edits)
    assert render.verify(message, b"A: 1\r\n\r\nxbc", edits) is None
    assert render.verify(message, b"A: 2\r\n\r\nxbc", edits)
    assert render.verify(message, b"A: 2\r\n\r\nabc", [])
    assert render.verify(message, b"A: 1\r\n\r\nabd", [])
    assert render.verify(message, b"Content-Type: text/html\r\nA: 1\r\n\r\nabc", [])


TYPED = (
    b"X-Odd:  kept \t as\r\n it is\r\nContent-Type: text/plain; charset=us-ascii;\r\n"
    b" format=flowed\r\nContent-Disposition: inline\r\nA: 1\r\n\r\nabc"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"kept \t as", b"kept as"),
        (b"A: 1\r\n", b""),
        (b"A: 1\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"format=flowed", b"format=fixed"),
        (b"format=flowed", b"format=flowed; delsp=yes"),
        (b"Disposition: inline", b"Disposition: attachment"),
    ],
)
def test_verify_sees_what_an_edited_parts_header_must_not_lose(old: bytes, new: bytes) -> None:
    message = mime.parse(TYPED)
    edits = [ReplaceText("", 3, 3, " \u4f60")]
    rendered = render.render(message, edits)
    assert b"charset=utf-8;\r\n format=flowed" in rendered
    assert render.verify(message, rendered, edits) is None
    assert old in rendered
    assert render.verify(message, rendered.replace(old, new), edits)


@pytest.mark.parametrize(
    "named",
    [
        "; charset*=us-ascii'en'us-ascii",
        "; charset*0=us-; charset*1=ascii",
        "; charset*0*=us-ascii''us; charset*1=-ascii",
    ],
)
def test_a_charset_in_pieces_is_written_in_one(named: str) -> None:
    """RFC 2231 3 and 4; the other parameters stay."""
    message = single(f"text/plain; format=flowed{named}; delsp=yes", "7bit", b"Hello END\r\n")
    made = mime.parse(edited(message, "END", "\u4f60"))
    assert made.root.parameters == {"charset": "utf-8", "format": "flowed", "delsp": "yes"}
    assert reader.read(made).texts[0].text == "Hello \u4f60\r\n"


def test_a_fault_names_the_edit() -> None:
    message = mime.parse(b"A: 1\r\n\r\nabcdef")
    edits = [ReplaceText("", 1, 2, "first"), ReplaceText("", 3, 4, "s\u202eecond\r\n" + "x" * 90)]
    rendered = render.render(message, edits).replace(b"xx", b"xy", 1)
    said = render.verify(message, rendered, edits) or ""
    assert "the edit 's\\u202eecond\\r\\nxxx" in said
    assert "characters 3 to 4 of part ''" in said
    assert "first" not in said
    assert said.isprintable()
    with pytest.raises(render.OverlapError, match=r"edit 'other' .* and the edit 'first'"):
        render.render(message, [edits[0], ReplaceText("", 0, 2, "other")])


def test_edits_of_one_recipient() -> None:
    both, one = AddField("X", "1"), AddField("Y", "2", recipients=("a@example.org",))
    assert render.concerning([both, one], "a@example.org") == (both, one)
    assert render.concerning([both, one], "b@example.org") == (both,)
