"""What a mail to spammail@ forwards, and which kept message that was (R28, R35).

Owns reading originals out of attachments and inline forwards, and matching them. Everything read
here was written by whoever forwards: it finds a kept message and proves nothing about it. Bounded,
never raises. Must not know where messages are kept, or what a match leads to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailguard.casework.unblocking.forwarded_headers import (
    Block,
    addresses_in,
    attributed,
    author_of,
    blocks,
    strict,
)
from mailguard.core.mail import encoded_words, mime, safe_text
from mailguard.core.mail.address import normalise
from mailguard.core.mail.message import Message, Part
from mailguard.core.text import folding, reader
from mailguard.core.text.new_text import renderings
from mailguard.core.text.reading import Reading

MOST = 50
"""Originals of one message."""
_DEPTH = 6  # forwards in forwards
_DECODED = 33_554_432  # octets of encoded attachments altogether
_LIMITS = reader.ReadingLimits(texts=6, octets=1_048_576, links=0)
_RECIPIENTS = 100
_LONGEST = 500  # characters of a subject or Message-ID
_MESSAGES = frozenset(("message/rfc822", "message/global"))
_HEADERS = frozenset(("text/rfc822-headers", "message/rfc822-headers", "message/global-headers"))


@dataclass(frozen=True, slots=True)
class Original:
    """A message that another one forwards. Texts are single, safe lines."""

    message_id: str = ""  # with its angle brackets
    sender: str = ""  # the author's mailbox, normalised; "" where none was shown
    sender_display: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    date: str = ""  # as written
    digests: tuple[str, ...] = ()  # sha256 of the octets attached, as they are and with a CRLF
    how: str = "inline"  # or "attached"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that we keep."""

    hold: int
    message_id: str
    digest: str  # sha256 of the octets as received
    sender: str
    subject: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What was found. Several candidates of one digest are one message's copies."""

    candidates: tuple[Candidate, ...] = ()
    how: str = ""  # "digest", "message-id", "subject", "subject-alone"; "" for nothing

    @property
    def ambiguous(self) -> bool:
        """Whether more than one message fits: a person has to say which."""
        return len({found.digest for found in self.candidates}) > 1


def originals(message: Message, reading: Reading) -> tuple[Original, ...]:
    """Everything that a message forwards, the outermost first: what its text quotes below a header
    block, what it attaches, and what those forward in turn. At most MOST."""
    found: dict[Original, None] = {}
    for original in _Reader().read(message, reading, 0):
        found.setdefault(original)
        if len(found) == MOST:
            break
    return tuple(found)


class _Reader:
    """One message's originals, within one budget."""

    def __init__(self) -> None:
        self.left = _DECODED
        self.messages = MOST

    def read(self, message: Message, reading: Reading, depth: int) -> Iterator[Original]:
        yield from _inline(message, reading)
        if depth == _DEPTH:
            return
        for part in _attached(message.root):
            inner = self._message(message, part)
            if inner is None:
                continue
            intact = part.content_type not in _HEADERS
            yield _original(inner, intact)
            if intact:
                yield from self.read(inner, reader.read(inner, _LIMITS), depth + 1)

    def _message(self, message: Message, part: Part) -> Message | None:
        """The message that a part is; None where it is none, or the budget is used up."""
        self.messages -= 1
        if self.messages < 0:
            return None
        if part.content_type in _MESSAGES and part.children:
            return Message(message.raw, part.children[0])
        size = part.end - part.body_start
        self.left -= size
        if self.left < 0:
            return None
        octets, _ = mime.decoded_body(message, part)
        inner = mime.parse(octets.lstrip(b"\r\n"))
        known = any(inner.fields(name) for name in ("From", "Message-ID", "Subject"))
        return inner if known else None


def _attached(root: Part) -> list[Part]:
    """The outermost parts that are messages, in the order of the bytes."""
    found: list[Part] = []
    stack = [root]
    while stack and len(found) < MOST:
        part = stack.pop()
        if part.content_type in _MESSAGES or part.content_type in _HEADERS or _is_eml(part):
            found.append(part)
        elif part.is_multipart:
            stack.extend(reversed(part.children))
    return found


def _is_eml(part: Part) -> bool:
    return not part.is_multipart and any(n.lower().endswith(".eml") for n in part.filenames)


def _original(message: Message, intact: bool) -> Original:
    """What an attached message's own header says."""
    author = message.author.boxes[:1]
    root = message.root
    raw = message.raw[root.start : root.end]
    digests: tuple[str, ...] = ()
    if intact:
        # The line end before a boundary belongs to the boundary, though it may be the message's.
        digests = tuple(hashlib.sha256(octets).hexdigest() for octets in (raw, raw + b"\r\n"))
    recipients = (*message.mailboxes("To").boxes, *message.mailboxes("Cc").boxes)[:_RECIPIENTS]
    return Original(
        message_id=safe_text.line(message.value("Message-ID"))[:_LONGEST],
        sender=strict(author[0].address) if author else "",
        sender_display=safe_text.line(author[0].display_name)[:200] if author else "",
        recipients=tuple(filter(None, (strict(box.address) for box in recipients))),
        subject=safe_text.line(message.value("Subject"))[:_LONGEST],
        date=safe_text.line(message.value("Date"))[:100],
        digests=digests,
        how="attached",
    )


def _inline(message: Message, reading: Reading) -> list[Original]:
    """What the body texts quote. Of alternatives, what each shows is put together."""
    shown = [
        [_from_block(block, message) for text in texts for block in blocks(text)]
        for texts in renderings(message, reading)
    ]
    if len(shown) == 2 and len(shown[0]) == len(shown[1]):
        return [_merged(one, other) for one, other in zip(*shown, strict=True)]
    return max(shown, key=len, default=[]) or _attributed(message, reading)


def _attributed(message: Message, reading: Reading) -> list[Original]:
    """What is quoted below "On … somebody wrote:", under the subject of the mail itself."""
    for text in reading.texts:
        addresses = addresses_in(attributed(text))
        if addresses:
            subject = safe_text.line(message.value("Subject"))[:_LONGEST]
            return [Original(sender=addresses[0], subject=subject)]
    return []


def _merged(one: Original, other: Original) -> Original:
    return replace(
        one,
        message_id=one.message_id or other.message_id,
        sender=one.sender or other.sender,
        recipients=one.recipients or other.recipients,
        subject=one.subject or other.subject,
        date=one.date or other.date,
    )


def _from_block(block: Block, message: Message) -> Original:
    sender, display = author_of(block.author)
    if not sender and display:
        # Programs show their own user's sent mail without an address.
        named = (box for box in message.author.boxes[:1] if box.display_name)
        who = folding.folded(display)
        sender = next(
            (strict(b.address) for b in named if folding.folded(b.display_name) == who), ""
        )
    recipients = [found for value in block.recipients for found in addresses_in(value)]
    return Original(
        message_id=block.message_id[:_LONGEST],
        sender=sender,
        sender_display=display,
        recipients=tuple(recipients[:_RECIPIENTS]),
        subject=_decoded(block.subject)[:_LONGEST],
        date=block.date[:100],
    )


def _decoded(subject: str) -> str:
    """Bounces show header fields as they are, encoded words included (RFC 2047)."""
    if "=?" not in subject:
        return subject
    return safe_text.line(encoded_words.decode(subject.encode("utf-8", "replace")))


def match(found: Sequence[Original], candidates: Iterable[Candidate]) -> Match:
    """Which kept message is meant: by its octets, else its Message-ID, else sender and subject, or
    the subject alone where no address was shown; the innermost original before those that forward
    it. Where several fit, recipients decide if they can; otherwise all of them are given."""
    kept = list(candidates)
    digests: dict[str, list[Candidate]] = {}
    ids: dict[str, list[Candidate]] = {}
    subjects: dict[tuple[str, str], list[Candidate]] = {}
    for one in kept:
        digests.setdefault(one.digest, []).append(one)
        ids.setdefault(_bare_id(one.message_id), []).append(one)
        subjects.setdefault((normalise(one.sender), folded_subject(one.subject)), []).append(one)
    innermost = list(reversed(found))
    for original in innermost:
        if hits := [one for digest in original.digests for one in digests.get(digest, ())]:
            return Match(tuple(hits), "digest")
    for original in innermost:
        key = _bare_id(original.message_id)
        if key and (hits := ids.get(key, [])):
            return Match(_narrowed(hits, original), "message-id")
    for original in innermost:
        hits = subjects.get((original.sender, folded_subject(original.subject)), [])
        if original.sender and hits:
            return Match(_narrowed(hits, original), "subject")
    titles: dict[str, list[Candidate]] = {}
    for one in kept:
        titles.setdefault(folded_subject(one.subject), []).append(one)
    for original in innermost:  # whose author was shown without an address
        hits = titles.get(folded_subject(original.subject), [])
        if not original.sender and original.subject and hits:
            return Match(_narrowed(hits, original), "subject-alone")
    return Match()


def _bare_id(message_id: str) -> str:
    return message_id.strip("<> \t")


def _narrowed(hits: Sequence[Candidate], original: Original) -> tuple[Candidate, ...]:
    """Those of several messages that went to a recipient whom the original shows."""
    shown = set(original.recipients)
    if len({hit.digest for hit in hits}) > 1 and shown:
        fitting = [hit for hit in hits if shown & {normalise(to) for to in hit.recipients}]
        return tuple(fitting or hits)
    return tuple(hits)


_PREFIX = re.compile(
    r"\s*+(?:(?:re|aw|antw|sv|vs|rv|res|ref|odp|fw|fwd|wg|tr|rif|enc|i|doorst|vb|pd|vl|"
    r"回复|回覆|答复|答覆|转发|轉寄|轉發|رد|إعادة توجيه|trả lời|chuyển tiếp|fwd?)"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\))?\s?:"
    r"|\[(?:external|ext|spam|suspected spam|caution|bulk|warning)[^\]]{0,20}\]:?)"
)
_MOST_PREFIXES = 30


def folded_subject(subject: str) -> str:
    """A subject in one form: without "Re:", "Fwd:" and tags of filters, case, punctuation."""
    text = folding.caseless(safe_text.line(_decoded(subject[:_LONGEST])))
    at = 0
    for _ in range(_MOST_PREFIXES):
        prefix = _PREFIX.match(text, at)
        if prefix is None:
            break
        at = prefix.end()
    return folding.words_only(text[at:]) or " ".join(text[at:].split())
