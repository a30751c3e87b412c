"""What a stranger wrote, as it stands in the header of a notice."""

from __future__ import annotations

import encodings
from email import policy
from email.message import EmailMessage

import pytest

from mailguard.core.mail import encoded_words, mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.notices import notice
from mailguard.core.people.district import District

DISTRICT = District(
    name="Elm Valley Unified School District",
    short_name="EVUSD",
    domains=("example.org",),
    postmaster="postmaster@example.org",
    spammail="spammail@example.org",
    authserv_id="mx.example.org",
)
REAL = "A trip – déjà vu"
FIELDS = ["from", "to", "subject", "date", "message-id", "auto-submitted"]
FIELDS += ["x-auto-response-suppress", "in-reply-to", "references", "content-type"]
FIELDS += ["content-transfer-encoding", "mime-version"]


def build(raw: bytes, to: str = "rosa.alder@example.com") -> bytes:
    envelope = Envelope(to, ("jane.doe@example.org",))
    listener = Listener("mx", Role.MX)
    transaction = Transaction("0" * 26, 1.0, listener, envelope, mime.parse(raw))
    return notice.build(
        district=DISTRICT,
        to=to,
        text="Said.",
        transaction=transaction,
        recipients=envelope.recipients,
        token="t",
        at=1.0,
    )


@pytest.mark.parametrize("charset", ["x-invented", "utf-8"])
@pytest.mark.parametrize(
    ("subject", "message_id", "to"),
    [
        ("{}", "<1@example.com>", "rosa.alder@example.com"),
        ("é {}", "<1@example.com>", "rosa.alder@example.com"),
        ("x", "<{}@example.com>", "rosa.alder@example.com"),
        ("x", "<1@example.com>", "{}@example.com"),
    ],
    ids=["subject", "subject beyond ASCII", "Message-ID", "reverse path"],
)
def test_an_encoded_word_stays_as_it_is(
    subject: str, message_id: str, to: str, charset: str
) -> None:
    word = f"=?{charset}?q?a=0D=0ABcc:_b?="
    known = dict(encodings._cache)  # type: ignore[attr-defined]
    twice = encoded_words.encode(word)  # read once, it is the word itself
    subject, to = subject.format(word), to.format(word)
    header = (
        f"Subject: {encoded_words.encode(subject)}\r\nMessage-ID: {message_id.format(twice)}\r\n"
    )
    raw = f"{header}\r\n".encode()
    made = mime.parse(build(raw, to))
    assert [field.name.lower() for field in made.root.fields] == FIELDS
    assert made.value("Subject") == f"Not delivered: {subject}".replace("=?", "= ?")
    assert made.raw_value(made.fields("In-Reply-To")[0]).strip() == message_id.format(word).encode()
    assert made.raw_value(made.fields("To")[0]).strip() == f"<{to}>".encode()
    assert encodings._cache == known  # type: ignore[attr-defined]


def test_every_other_value_is_written_as_the_standard_library_does() -> None:
    raw = f"Subject: {encoded_words.encode(REAL)}\r\nMessage-ID: <1@example.com>\r\n\r\n".encode()
    plain = EmailMessage(policy=policy.SMTP.clone(max_line_length=78, cte_type="7bit"))
    plain["Subject"] = f"Not delivered: {REAL}"
    assert bytes(plain).removesuffix(b"\r\n") in build(raw)
