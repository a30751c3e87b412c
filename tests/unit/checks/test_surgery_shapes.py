"""R12: a disclaimer in every shape of mail, and the shapes that are left alone and say so."""

from __future__ import annotations

import base64
import quopri

import pytest

from mailguard.checks.disclaimer.check import HEADER, Disclaimer, Profile
from mailguard.core.decision.edit import AddField
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Role
from mailguard.core.render import render, splice
from mailguard.core.text import reader
from mailguard.core.text.text_match import is_present

CHECK = Disclaimer()
WORDS = (
    "The district\u2019s notice \u2013 \u201cfor you alone\u201d: \u4ec5\u4f9b\u6536\u4ef6\u4eba. "
    "Whoever reads this by mistake is asked to delete it and to tell us of it at once. "
    "H\u00e3y x\u00f3a th\u01b0 n\u00e0y. \u0634\u0643\u0631\u0627"
)
ASCII = "This notice is for you alone; whoever reads it by mistake deletes it and tells us at once."
HEAD = "From: jane.doe@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\n"


@pytest.fixture
def staff(build):
    def made(raw):
        return build(raw, role=Role.SUBMISSION, account="jdoe", recipients=("lan@home.test",))

    return made


def judged(case, words=WORDS):
    settings = CHECK.Settings(profiles=(Profile(name="x", text=words),))
    verdict = CHECK.examine(case.transaction, case.facts, settings)
    assert verdict.error is None
    message = case.transaction.message
    rendered = render.render(message, verdict.edits)
    assert render.verify(message, rendered, verdict.edits) is None
    return rendered, [finding.code.partition(".")[2] for finding in verdict.findings], verdict.edits


def single(kind: str, encoding: str, data: bytes) -> bytes:
    head = f"{HEAD}Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + data


def coded(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    return splice.to_quoted_printable(data) if encoding == "quoted-printable" else data


@pytest.mark.parametrize("words", [ASCII, WORDS], ids=["ascii", "every-script"])
@pytest.mark.parametrize(
    "kind", ["plain", "plain; format=flowed", "plain; format=flowed; delsp=yes", "html"]
)
@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize(
    "charset",
    [
        "us-ascii",
        "utf-8",
        "iso-8859-1",
        "windows-1258",
        "gb18030",
        "iso-2022-jp",
        "utf-16",
        "utf-16le",
        "utf-7",
    ],
)
def test_every_charset_and_encoding_takes_it(staff, charset, encoding, kind, words) -> None:
    text = "<p>Hello = there</p>\r\n" if kind == "html" else "Hello = there\r\n> old\r\n"
    data = text.encode(charset)
    if charset.startswith("utf-16") and encoding != "base64":
        return  # no such mail: its line ends are no line ends
    raw = single(f"text/{kind}; charset={charset}", encoding, coded(data, encoding))
    rendered, codes, _ = judged(staff(raw), words)
    assert codes == ["appended"]
    (part,) = reader.read(mime.parse(rendered)).texts
    assert is_present(words, part.author_visible)
    assert part.text.lstrip("\ufeff").startswith("<p>Hello" if kind == "html" else "Hello")
    # As another reader decodes it.
    made = mime.parse(rendered)
    body = rendered[made.root.body_start :]
    transfer = made.root.transfer_encoding
    if transfer == "base64":
        body = base64.b64decode(body)
    elif transfer == "quoted-printable":
        body = quopri.decodestring(body)
    if transfer == "7bit":
        assert body.isascii()
    seen = body.decode(made.root.charset)
    wanted = words.encode("ascii", "xmlcharrefreplace").decode() if kind == "html" else words
    assert wanted.split()[-1] in seen
    assert judged(staff(rendered), words)[1] == []


def test_a_charset_nobody_knows_is_left_alone(staff) -> None:
    raw = single("text/plain; charset=x-unknown", "8bit", b"Hello \xfe\r\n")
    rendered, codes, (field,) = judged(staff(raw))
    assert codes == ["not-placed"]
    assert isinstance(field, AddField)
    assert rendered == f"{HEADER}: {field.value}\r\n".encode() + raw
    assert field.value == "not-placed; reason=its-charset-is-unknown"


def test_only_the_part_that_cannot_carry_it_is_written_anew(staff) -> None:
    raw = (
        HEAD + "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\nX-Kept: 1\r\n\r\nHello\r\n--b\r\n"
        "Content-Type: text/html; charset=us-ascii\r\n\r\n<p>Hello</p>\r\n--b--\r\n"
    ).encode()
    rendered, _, _ = judged(staff(raw))
    plain, html = mime.parse(rendered).root.children
    assert (plain.charset, plain.transfer_encoding) == ("utf-8", "quoted-printable")
    assert (html.charset, html.transfer_encoding) == ("us-ascii", "7bit")
    assert b"X-Kept: 1\r\n" in rendered


def test_flowed_text_stays_flowed(staff) -> None:
    text = b"Hello and \r\nmore. \r\n\r\nOn Mon, 2 Nov 2026, Lan wrote:\r\n> old \r\n> words\r\n"
    raw = single("text/plain; charset=utf-8; format=flowed", "8bit", text)
    words = ASCII + "\n> not a quote\n From nobody \nlast"
    rendered, _, _ = judged(staff(raw), words)
    body = rendered.partition(b"\r\n\r\n")[2]
    assert b"\r\n > not a quote\r\n  From nobody\r\nlast\r\n" in body
    assert body.endswith(b"\r\n\r\nOn Mon, 2 Nov 2026, Lan wrote:\r\n> old \r\n> words\r\n")


def tree(shape: str) -> str:
    """A message from a shape such as `mixed(related(alternative(plain html) png) pdf)`."""
    out: list[str] = []
    stack: list[str] = []
    for token in shape.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(":
            name = stack[-1]
            out.append(f'Content-Type: multipart/{name}; boundary="{name}{len(stack)}"\r\n\r\n')
        elif token == ")":
            out.append(f"--{stack[-1]}{len(stack)}--\r\n")
            stack.pop()
        else:
            if stack:
                out.append(f"--{stack[-1]}{len(stack)}\r\n")
            if token in LEAVES:
                out.append(LEAVES[token])
            else:
                stack.append(token)
    return HEAD + "".join(out)


LEAVES = {
    "plain": "Content-Type: text/plain\r\n\r\nHello\r\n",
    "html": "Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n",
    "more": "Content-Type: text/plain\r\n\r\nAnd more\r\n",
    "png": "Content-Type: image/png\r\nContent-ID: <i>\r\n\r\nx\r\n",
    "pdf": "Content-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n",
    "file": "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile\r\n",
    "calendar": "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n",
    "amp": "Content-Type: text/x-amp-html\r\n\r\n<html amp4email>Hello</html>\r\n",
    "message": "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\ninner\r\n",
    "p7m": "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx\r\n",
    "p7s": "Content-Type: application/pkcs7-signature\r\n\r\nx\r\n",
    "pgp": "Content-Type: text/plain\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nHello\r\n"
    "-----BEGIN PGP SIGNATURE-----\r\nx\r\n-----END PGP SIGNATURE-----\r\n",
    "pgp-sealed": "Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n",
    "octets": "Content-Type: application/octet-stream\r\n\r\nx\r\n",
    "status": "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.test\r\n",
    "receipt": "Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: x\r\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "parts"),
    [
        ("plain", [""]),
        ("html", [""]),
        ("alternative(plain html)", ["1", "2"]),
        ("related(html png)", ["1"]),
        ("alternative(plain related(html png))", ["1", "2.1"]),
        ("related(alternative(plain html) png)", ["1.1", "1.2"]),
        ("mixed(plain pdf)", ["1"]),
        ("mixed(alternative(plain html) pdf)", ["1.1", "1.2"]),
        ("mixed(related(alternative(plain html) png) pdf)", ["1.1.1", "1.1.2"]),
        ("mixed(mixed(alternative(plain html)) pdf file)", ["1.1.1", "1.1.2"]),
        ("mixed(plain png more)", ["1"]),
        ("mixed(file plain)", ["2"]),
        ("mixed(message plain)", ["2"]),
        ("mixed(plain message)", ["1"]),
        ("mixed(plain calendar)", ["1"]),
        ("mixed(plain amp)", ["1"]),
    ],
)  # fmt: skip
def test_where_it_goes(staff, shape, parts) -> None:
    raw = tree(shape).encode()
    case = staff(raw)
    rendered, codes, edits = judged(case, ASCII)
    assert codes == ["appended"]
    assert [edit.part for edit in edits] == parts
    assert others(rendered, parts) == others(raw, parts)
    assert judged(staff(rendered), ASCII)[0] == rendered


@pytest.mark.parametrize(
    ("shape", "left"),
    [
        ("alternative(plain amp html)", "text/x-amp-html"),
        ("alternative(plain html calendar)", "text/calendar"),
        ("mixed(alternative(plain related(html png) calendar) pdf)", "text/calendar"),
    ],
)
def test_a_form_beside_it_that_is_left_alone_is_said(staff, shape, left) -> None:
    raw = tree(shape).encode()
    rendered, codes, edits = judged(staff(raw), ASCII)
    assert codes == ["appended", "version-left-alone"]
    assert rendered.startswith(f"{HEADER}: placed; left-alone={left}\r\n".encode())
    parts = [edit.part for edit in edits if not isinstance(edit, AddField)]
    assert others(rendered, parts) == others(raw, parts)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("signed(plain p7s)", "signed"),
        ("signed(alternative(plain html) p7s)", "signed"),
        ("mixed(signed(plain p7s) more)", "signed"),
        ("p7m", "signed-or-encrypted"),
        ("encrypted(octets octets)", "encrypted"),
        ("pgp", "signed"),
        ("alternative(pgp html)", "signed"),
        ("pgp-sealed", "encrypted"),
        ("calendar", "calendar"),
        ("message", "attached-message"),
        ("mixed(pdf)", "no-text"),
        ("png", "no-text"),
    ],
)
def test_what_an_edit_would_break_is_left_alone_and_says_so(staff, shape, reason) -> None:
    raw = tree(shape).encode()
    rendered, codes, _ = judged(staff(raw), ASCII)
    assert codes == ["not-placed"]
    assert rendered == f"{HEADER}: not-placed; reason={reason}\r\n".encode() + raw


@pytest.mark.parametrize("shape", ["report(plain status message)", "report(plain receipt)"])
def test_reports_are_never_disclaimed(staff, shape) -> None:
    raw = tree(shape).encode()
    assert judged(staff(raw), ASCII)[:2] == (raw, [])


def others(raw: bytes, edited: list[str]) -> list[bytes]:
    message: Message = mime.parse(raw)
    return [
        raw[part.start : part.end]
        for part in message.parts
        if not part.children and part.path not in edited
    ]
