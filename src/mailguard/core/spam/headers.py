"""Signs of spam in the envelope and the header.

Owns what is looked at there. Must not know weights (`features`) or policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

from mailguard.core.mail import address
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.spam.features import Hit

_FREE = (
    "gmail.com googlemail.com yahoo.com ymail.com outlook.com hotmail.com live.com msn.com aol.com "
    "icloud.com me.com proton.me protonmail.com gmx.com gmx.net mail.com mail.ru yandex.com "
    "yandex.ru zoho.com tutanota.com inbox.lv qq.com 163.com 126.com rediffmail.com"
)
FREE_MAIL = frozenset(_FREE.split())
# A display name that has the first word(s) should come from a domain that has the second.
_BRANDS = (
    ("paypal", "paypal"),
    ("microsoft", "microsoft"),
    ("office 365", "microsoft"),
    ("netflix", "netflix"),
    ("docusign", "docusign"),
    ("fedex", "fedex"),
    ("dhl", "dhl"),
    ("usps", "usps"),
    ("amazon", "amazon"),
    ("apple support", "apple"),
    ("wells fargo", "wellsfargo"),
    ("bank of america", "bankofamerica"),
    ("geek squad", "bestbuy"),
    ("norton", "norton"),
    ("mcafee", "mcafee"),
    ("help desk", ""),
    ("helpdesk", ""),
    ("mail administrator", ""),
    ("webmail", ""),
)
_DAY = 86_400
_LONGEST = 500  # characters of a header field that are looked at


def header_hits(transaction: Transaction) -> Iterator[Hit]:
    """Every sign in the header, in no particular order."""
    message, outside = transaction.message, transaction.origin is Origin.OUTSIDE
    yield from _subject(message)
    yield from _author(message)
    yield from _date(message, transaction.received_at, outside)
    if outside:
        if not message.fields("Message-ID"):
            yield Hit("MISSING_MESSAGE_ID")
        helo = transaction.envelope.helo
        if helo and "." not in helo and ":" not in helo:  # ":": an IPv6 address literal
            yield Hit("GREETING_BARE", detail=helo[:60])
        yield from _received(message)
        if not transaction.envelope.reverse_path and not message.is_automatic:
            yield Hit("NULL_PATH")
        if message.fields("X-PHP-Originating-Script") or message.fields("X-PHP-Script"):
            yield Hit("SENT_BY_SCRIPT")
    shown = message.raw_value(message.fields("To")[0]) if message.fields("To") else b""
    if b"@" not in shown and not message.fields("Cc"):
        yield Hit("NO_RECIPIENT_SHOWN")


def _subject(message: Message) -> Iterator[Hit]:
    subject = message.value("Subject")[:_LONGEST]
    if not subject:
        yield Hit("SUBJECT_EMPTY")
        return
    letters = sum(map(str.isalpha, subject))
    if letters >= 10 and subject.isupper() and " " in subject:
        yield Hit("SUBJECT_CAPITALS")
    odd = subject.count("!") + subject.count("$") + subject.count("€") + subject.count("*")
    if not subject.isascii():
        # Emoji and dingbats: signs, not letters of any script.
        odd += sum(1 for c in subject if "\u2600" <= c <= "\u27bf" or c >= "\U0001f300")
    if odd >= 3:
        yield Hit("SUBJECT_SYMBOLS")
    elif "$" in subject or "%" in subject or "free" in subject.lower().split():
        yield Hit("SUBJECT_OFFER")
    before, _, tail = subject.rpartition("    ")
    if before.strip() and tail and " " not in tail:
        yield Hit("SUBJECT_TAIL", detail=tail[:20])
    if subject[:3].lower() == "re:" and not (
        message.fields("In-Reply-To") or message.fields("References")
    ):
        yield Hit("FALSE_REPLY")


def _author(message: Message) -> Iterator[Hit]:
    author = message.author
    if not author.boxes:
        return
    box = author.boxes[0]
    own, domain = address.normalise(box.address), address.domain_of(box.address)
    digits = sum(map(str.isdigit, own.rpartition("@")[0][:_LONGEST]))
    if digits >= 5:
        yield Hit("AUTHOR_DIGITS", detail=own[:80])
    if " " in box.display_name and box.display_name.isupper():
        yield Hit("NAME_CAPITALS", detail=box.display_name[:40])
    name = box.display_name[:_LONGEST].lower()
    if "@" in name and own not in name:
        yield Hit("NAME_SHOWS_ADDRESS", detail=name[:80])
    for brand, home in _BRANDS:
        if brand in name and (domain in FREE_MAIL or (home and home not in domain)):
            yield Hit("NAME_SHOWS_BRAND", detail=brand)
            break
    if message.fields("Reply-To"):
        for answer in message.mailboxes("Reply-To").addresses[:5]:
            if address.domain_of(answer) in FREE_MAIL and address.normalise(answer) != own:
                yield Hit("REPLY_TO_FREE_MAIL", detail=answer[:80])
                break


def _date(message: Message, received_at: float, outside: bool) -> Iterator[Hit]:
    fields = message.fields("Date")
    if not fields:
        if outside:
            yield Hit("MISSING_DATE")
        return
    written = message.raw_value(fields[0])[:100].decode("ascii", "replace").strip()
    try:
        date = parsedate_to_datetime(written)
        if date.tzinfo is None:  # RFC 5322 4.3: "-0000" says nothing of the zone
            date = date.replace(tzinfo=UTC)
        away = received_at - date.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        away = float("inf")
    if away > 7 * _DAY or away < -2 * _DAY:
        yield Hit("DATE_FAR_OFF", detail=written[:40])


def _received(message: Message) -> Iterator[Hit]:
    for item in message.fields("Received")[:20]:
        trace = message.raw_value(item)[:2000]
        # RFC 5321 4.4: a "by" clause and a date after the semicolon, whoever wrote it.
        if b"by" not in trace.split() or b";" not in trace:
            yield Hit("RECEIVED_MALFORMED")
            return
