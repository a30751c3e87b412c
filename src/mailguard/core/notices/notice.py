"""What people are told: notices and the copy for spammail@, as complete messages.

Owns the texts about mail that was not delivered, and how texts become mail. Districts put their own
into `config/notices/`. Slots are named and filled once: no template language over mail
content, and control characters never pass (header and line injection).
Must not know when a notice is due (`plan`) or how it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate

from mailguard.core.decision.decide import Judgement
from mailguard.core.decision.policy import FindingType
from mailguard.core.mail import encoded_words, octets, safe_text
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Transaction
from mailguard.core.notices import policy_texts
from mailguard.core.notices.template import (
    DISTRICT_MEANINGS,
    DISTRICT_SLOTS,
    MESSAGE_MEANINGS,
    RULES_MEANING,
    NoticeTexts,
    Template,
)
from mailguard.core.people.district import District

_REASON_MEANINGS = {
    **MESSAGE_MEANINGS,
    "what": "what was found: the finding's meaning, in lower case, without a full stop",
    "evidence": "what was seen in this message; the mail server's answer in `undeliverable`",
    **RULES_MEANING,
    "advice": "what would make the message pass, a sentence",
    "reference": "the transaction's id: what `mailguard explain` takes",
}
_ROUTED_MEANINGS = {
    "leaver": "the name of who has left",
    "address": "the leaver's main address",
    "since": "the first day on which they were gone, as in 2026-07-01",
    "successor": "the name of who gets the mail",
    "mailbox": "the address that it goes to",
}
SLOTS = DISTRICT_SLOTS.union(_REASON_MEANINGS)
ROUTED_SLOTS = DISTRICT_SLOTS.union(_ROUTED_MEANINGS)


# V1 (R27) and, in V1's form, the notices of the other checks: what was blocked and by which
# system, why and by which rule, what would make it pass, whom to write to, thanks.
_TEMPLATES = {
    "blocked": Template(
        policy_texts.V1_BLOCK_NOTICE,
        DISTRICT_SLOTS,
        "V1: the answer to mail blocked as possible spam (R27)",
    ),
    "quarantined": Template(
        "Your email message has been blocked by the {short_name} Mail Filtering System because "
        "{what}: {evidence}.  {advice}  If you feel your message should have gone through "
        "unblocked, please write to {postmaster} and quote {reference}.  "
        "Thank you for your cooperation.",
        SLOTS,
        "the answer to mail quarantined for another reason than spam",
    ),
    "refused": Template(
        "Your email message has been blocked by the {short_name} Mail Policy System because "
        "{what}: {evidence} (rule {rules}).  {advice}  If you feel your message should have gone "
        "through, please write to {postmaster} and quote {reference}.  "
        "Thank you for your cooperation.",
        SLOTS,
        "the bounce of a message that policy does not allow",
    ),
    "leaver": Template(
        "Your email message has not been delivered: {evidence}.  {advice}  If you need help, "
        "please write to {postmaster} and quote {reference}.  Thank you.",
        SLOTS,
        "the answer to mail for somebody who has left the district (R6)",
    ),
    "routed": Template(
        "Mail for {leaver} ({address}), who has left {district} and is gone since {since}, is "
        "routed to {successor} at {mailbox} (rule R6).  This notice comes once on each day on "
        "which there is such mail.  To have the senders answered instead, set on_leaving to answer "
        "in the directory.  Questions go to {postmaster}.",
        ROUTED_SLOTS,
        "told to the Technology Services Director when a leaver's mail goes to the manager, once a "
        "leaver and day (R6)",
    ),
    "undeliverable": Template(
        "Your email message could not be delivered: the mail server answered {evidence}.  "
        "{advice}  If you need help, please write to {postmaster} and quote {reference}.  "
        "Thank you for your cooperation.",
        SLOTS,
        "told to the sender when the next hop refused some recipients",
    ),
    "copy": Template(
        "A message was blocked by the {short_name} Mail Filtering System and is attached as it was "
        "received.  It has not been delivered to: {recipients}.\n\nWhy: {what}: {evidence}\n"
        "Rule: {rules}\nReference: {reference}\n\nTo deliver it: mailguard quarantine release "
        "{reference}\nTo throw it away: mailguard quarantine discard {reference}",
        SLOTS,
        "the summary above a quarantined message in the spammail@ mailbox (R28)",
    ),
}
NOTICE_TEXTS = NoticeTexts(_TEMPLATES, DISTRICT_MEANINGS | _REASON_MEANINGS | _ROUTED_MEANINGS)


def paragraphs(template: str, slots: Mapping[str, str]) -> str:
    """The filled text without the paragraphs that its slots left empty. Raises KeyError, as
    `fill`."""
    filled = (paragraph.strip() for paragraph in fill(template, slots).split("\n\n"))
    return "\n\n".join(paragraph for paragraph in filled if paragraph)


def fill(template: str, slots: Mapping[str, str]) -> str:
    """Put the slots' values in, once: a value that looks like a slot stays as it is.

    Raises KeyError for a slot that is not given; loading has refused unknown ones before.
    """
    pieces = template.split("{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, closed, rest = piece.partition("}")
        filled.append(safe_text.line(slots[name]) + rest if closed else "{" + piece)
    return "".join(filled)


def slots_for(
    district: District,
    transaction: Transaction,
    judgement: Judgement,
    kind: FindingType | None,
    recipients: Sequence[str],
) -> dict[str, str]:
    """Everything a template may name, for one reason and the recipients it concerns."""
    shown = ", ".join(recipients[:10]) + (
        f" and {len(recipients) - 10} more" if len(recipients) > 10 else ""
    )
    finding = judgement.finding
    return {
        **district_slots(district),
        "subject": transaction.message.value("Subject")[:200] or "(no subject)",
        "recipients": shown,
        "what": kind.summary if kind else "a check could not be completed",
        "evidence": finding.evidence.rstrip("."),
        "rules": ", ".join(finding.rules or (kind.rules if kind else ())) or "none",
        "advice": finding.advice or (kind.advice if kind else "Please try again later."),
        "reference": transaction.id,
    }


def district_slots(district: District) -> dict[str, str]:
    """The slots every template may use."""
    return {
        "district": district.name,
        "short_name": district.short_name,
        "department": district.department,
        "spammail": district.spammail,
        "postmaster": district.postmaster,
        "events_address": district.events_address or district.postmaster,
    }


class _AsGiven(EmailPolicy):
    """The standard library decodes encoded words in what it is given, in addresses and Message-IDs
    too: a stranger's charset would reach Python's registry of codecs, and a line end in one begin a
    field of ours. So what looks like one stays as it is."""

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        if "=?" not in value:
            return super().header_store_parse(name, value)
        value = safe_text.line(value)
        structured = name != "Subject" and value.isascii()
        return name, value if structured else encoded_words.encode(value)


_POLICY = _AsGiven(linesep="\r\n", max_line_length=78, cte_type="7bit", refold_source="none")


def template_for(kind: FindingType | None) -> str:
    """The template that tells the sender of this kind of finding."""
    return kind.notice if kind is not None and kind.notice in _TEMPLATES else "quarantined"


def build(
    *,
    district: District,
    to: str,
    text: str,
    transaction: Transaction,
    recipients: Sequence[str],
    token: str,
    at: float,
    title: str = "Not delivered",
) -> bytes:
    """One notice to the sender as message octets with CRLF: automatic (RFC 3834), threaded."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = (
        f'"{safe_text.display_name(district.short_name)} Mail" <{district.postmaster}>'
    )
    message["To"] = f"<{to}>"
    subject = transaction.message.value("Subject")[:120] or "(no subject)"
    message["Subject"] = safe_text.header(f"{title}: {subject}")
    _automatic(message, district, token, at)
    original = transaction.message.value("Message-ID")
    if (
        original.startswith("<")
        and original.isascii()
        and original.isprintable()
        and len(original) < 250
        and " " not in original
    ):
        message["In-Reply-To"] = original
        message["References"] = original
    about = [
        f"Subject: {safe_text.line(subject)}",
        *(f"To: {safe_text.line(r)}" for r in recipients[:50]),
    ]
    message.set_content(text + "\n\n" + "\n".join(about) + f"\nReference: {transaction.id}\n")
    return bytes(message)


def announce(
    *, district: District, to: Sequence[str], subject: str, text: str, token: str, at: float
) -> bytes:
    """One notice to the district's own people, which answers nobody."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = (
        f'"{safe_text.display_name(district.short_name)} Mail" <{district.postmaster}>'
    )
    message["To"] = ", ".join(f"<{mailbox}>" for mailbox in to)
    message["Subject"] = safe_text.header(subject)
    _automatic(message, district, token, at, "auto-generated")
    message.set_content(text + "\n")
    return bytes(message)


def _automatic(
    message: EmailMessage, district: District, token: str, at: float, how: str = "auto-replied"
) -> None:
    message["Date"] = formatdate(at, localtime=False)
    message["Message-ID"] = f"<{token}@{district.domains[0]}>"
    message["Auto-Submitted"] = how  # RFC 3834 5
    message["X-Auto-Response-Suppress"] = "All"


def wrap(
    *,
    district: District,
    message: Message,
    summary: str,
    token: str,
    at: float,
    subject_prefix: str,
) -> bytes:
    """The copy for the spammail@ mailbox: a summary people can read above the original, attached
    as message/rfc822 with its bytes unchanged (R28). Written by hand, since nothing may
    re-serialise the original."""
    boundary = f"mailguard-{token}"
    while octets.holds(message.raw, boundary.encode()):
        boundary += "-"
    subject = encoded_words.encode(
        safe_text.header(f"[{subject_prefix}] {message.value('Subject')[:120]}")
    )
    encoding = "7bit" if message.raw.isascii() else "8bit"
    head = [
        f'From: "{safe_text.display_name(district.short_name)} Mail" <{district.postmaster}>',
        f"To: <{district.spammail}>",
        f"Subject: {subject}",
        f"Date: {formatdate(at, localtime=False)}",
        f"Message-ID: <{token}@{district.domains[0]}>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        *summary.splitlines(),
        f"--{boundary}",
        "Content-Type: message/rfc822",
        f"Content-Transfer-Encoding: {encoding}",
        'Content-Disposition: attachment; filename="blocked-message.eml"',
        "",
        "",
    ]
    end = "" if message.raw.endswith(b"\r\n") else "\r\n"
    top = "\r\n".join(head).encode()
    return b"".join((top, message.raw, f"{end}--{boundary}--\r\n".encode()))
