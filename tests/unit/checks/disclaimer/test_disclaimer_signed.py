"""R12: signed mail that lacks the disclaimer: left as it is, or attached to one that carries it."""

from __future__ import annotations

import pytest

from mailguard.checks.disclaimer.check import HEADER, Disclaimer, Profile
from mailguard.core.decision.edit import AddField, Wrap
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Role
from mailguard.core.notices import policy_texts
from mailguard.core.render import render
from mailguard.core.text import reader
from mailguard.core.text.text_match import is_present

CHECK = Disclaimer()
V3 = policy_texts.V3_DISCLAIMER
HEAD = "From: jane.doe@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: x\r\n"
PGP = "-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nHello\r\n-----BEGIN PGP SIGNATURE-----\r\nx\r\n"
SIGNED = {
    "S/MIME or PGP/MIME": "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nHello\r\n"
    "--s\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--s--\r\n",
    "opaque S/MIME": "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx\r\n",
    "PGP in the text": f"\r\n{PGP}",
    "signed in part": "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
    "multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nHello\r\n--s--\r\n--b\r\n\r\nmore\r\n--b--\r\n",
}


@pytest.fixture
def staff(build):
    def made(raw):
        return build(raw, role=Role.SUBMISSION, account="jdoe", recipients=("lan@home.test",))

    return made


def said(case, **settings):
    verdict = CHECK.examine(case.transaction, case.facts, CHECK.Settings(**settings))
    assert verdict.error is None
    message = case.transaction.message
    rendered = render.render(message, verdict.edits)
    assert render.verify(message, rendered, verdict.edits) is None
    return verdict, [f.code.partition(".")[2] for f in verdict.findings], rendered


@pytest.mark.parametrize("kind", SIGNED)
def test_it_is_wrapped_where_policy_wants_it(staff, kind) -> None:
    raw = (HEAD + SIGNED[kind]).encode()
    verdict, codes, rendered = said(staff(raw), signed="wrap")
    assert codes == ["wrapped"]
    assert verdict.edits == (Wrap(V3), AddField(HEADER, "wrapped; reason=signed"))
    assert rendered.startswith(f"{HEADER}: wrapped; reason=signed\r\nFrom: jane".encode())
    result = mime.parse(rendered)
    note, attached = result.root.children
    assert rendered[attached.body_start : attached.end] == raw
    assert is_present(V3, reader.text_of(result, note)[0].text)
    # By default it is left.
    _, codes, rendered = said(staff(raw))
    assert codes == ["not-placed"]
    assert rendered.endswith(raw)


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("signature", ["off", "append", "warn", "require"])
def test_a_second_time_adds_nothing(staff, kind, signature) -> None:
    chosen = {"signed": "wrap", "signature": {"mode": signature}}
    verdict, _, rendered = said(staff((HEAD + SIGNED[kind]).encode()), **chosen)
    assert len(verdict.edits) == 2
    again, codes, same = said(staff(rendered), **chosen)
    assert (again.edits, codes) == ((), [])
    assert same == rendered


@pytest.mark.parametrize(
    ("text", "mode", "codes"),
    [
        ("Content-Type: multipart/encrypted; boundary=b\r\n\r\n", "append", ["not-placed"]),
        ("Content-Type: application/pkcs7-mime\r\n\r\nx\r\n", "append", ["not-placed"]),
        ("Content-Type: text/calendar\r\n\r\nx\r\n", "append", ["not-placed"]),
        (SIGNED["S/MIME or PGP/MIME"], "require", ["missing"]),
        (SIGNED["S/MIME or PGP/MIME"], "warn", ["advised"]),
        (SIGNED["opaque S/MIME"], "require", ["not-placed"]),
        (SIGNED["S/MIME or PGP/MIME"].replace("Hello", V3), "append", []),
    ],
)
def test_nothing_else_is_wrapped(staff, text, mode, codes) -> None:
    profiles = (Profile(name="x", text=V3, mode=mode),)
    verdict, found, _ = said(staff((HEAD + text).encode()), profiles=profiles, signed="wrap")
    assert found == codes
    assert not any(isinstance(edit, Wrap) for edit in verdict.edits)


def test_a_signature_alone_wraps_nothing_and_its_field_gives_way(staff) -> None:
    raw = (HEAD + SIGNED["S/MIME or PGP/MIME"]).encode()
    signature = {"mode": "append"}
    verdict, codes, _ = said(staff(raw), profiles=(), signature=signature, signed="wrap")
    assert codes == ["not-placed"]
    verdict, codes, _ = said(staff(raw), signature=signature, signed="wrap")
    assert codes == ["not-placed", "wrapped"]
    assert [e.value for e in verdict.edits if isinstance(e, AddField)] == ["wrapped; reason=signed"]
