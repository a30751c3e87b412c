"""Notices as mail: what a stranger's subject cannot do in them."""

from __future__ import annotations

from base64 import b64encode
from email import message_from_bytes, policy

import pytest

from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.notices import notice
from mailguard.core.people.district import District

DISTRICT = District(
    name="Example Valley District",
    short_name='Example "Valley"\r\nBcc: x@evil.test',
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mailguard.example.org",
)


def encoded(text: str) -> str:
    return f"=?utf-8?b?{b64encode(text.encode()).decode()}?="


def transaction(subject: str) -> Transaction:
    raw = f"From: ann@example.test\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()
    return Transaction(
        id="01TEST",
        received_at=1_795_600_000.0,
        listener=Listener("mx", Role.MX),
        envelope=Envelope(
            reverse_path="ann@example.test",
            recipients=("tara@example.org",),
            client_address="192.0.2.1",
            helo="mail.example.test",
        ),
        message=mime.parse(raw),
    )


@pytest.mark.parametrize("copy", [False, True], ids=["notice", "copy"])
def test_an_encoded_word_in_an_encoded_word_is_not_decoded_again(*, copy: bool) -> None:
    hidden = encoded("invoice\u202efdp.exe\r\nBcc: all@example.org")
    received = transaction(encoded(hidden))
    assert received.message.value("Subject") == hidden
    if copy:
        made = notice.wrap(
            district=DISTRICT,
            message=received.message,
            summary="Blocked",
            token="t",
            at=0.0,
            subject_prefix="BLOCKED",
        )
    else:
        made = notice.build(
            district=DISTRICT,
            to="ann@example.test",
            text="No.",
            transaction=received,
            recipients=("tara@example.org",),
            token="t",
            at=0.0,
        )
    read = message_from_bytes(made, policy=policy.default)
    assert "= ?utf-8?b?" in read["Subject"]
    assert "invoice" not in read["Subject"] and "\u202e" not in read["Subject"]
    assert read["Bcc"] is None
    assert len(read["From"].addresses) == 1
