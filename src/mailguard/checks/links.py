"""Links are never clicked directly, they are copied and pasted (R39, S0 §U).

Owns the modes and what each does to each construct. `copy-page` points a link to the district's
page that shows the exact address; `unlink` makes the address visible text that nothing can click;
`warn` only says. Must not know how the copy page looks, or how edits are written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from linkify_it.tlds import TLDS
from pydantic import BaseModel, ConfigDict, Field

from mailguard.core import address, identity, links, mime
from mailguard.core.authenticated import author_authenticated
from mailguard.core.edit import Edit, Phase, ReplaceText
from mailguard.core.facts import Facts, Unavailable
from mailguard.core.insertion import other_versions
from mailguard.core.message import Message
from mailguard.core.policy import CheckSettings, FindingType
from mailguard.core.reading import Link, Reading, TextPart
from mailguard.core.registrable import same_owner
from mailguard.core.site import site_of
from mailguard.core.transaction import Origin, Transaction
from mailguard.core.verdict import Disposition, Finding, Verdict

Mode = Literal["copy-page", "unlink", "warn", "off"]

REWRITTEN = FindingType(
    "links.rewritten",
    "links were changed so that they are copied, not clicked",
    ("R39",),
    Disposition.FORWARD,
)
PRESENT = FindingType(
    "links.present",
    "the message has links, which should be copied, not clicked",
    ("R39",),
    Disposition.FORWARD,
)
DECEPTIVE = FindingType(
    "links.deceptive",
    "a link's text names another site than the one it opens",
    ("R39",),
    Disposition.FORWARD,
    advice="Let every link's text name the site that it opens.",
    waivable=True,
)
NOT_EDITABLE = FindingType(
    "links.not-editable",
    "links had to be left clickable",
    ("R39", "R8"),
    Disposition.FORWARD,
)

_LONGEST_HOST = 253  # RFC 1035 2.3.4, as text
_SHOWN = 5  # addresses in an evidence
_LONGEST_SHOWN = 120
_SITE = re.compile(r"(?:https?://)?((?:[\w-]{1,63}\.){1,10}[\w-]{2,63})(?::\d+)?(?:[/?#]\S*)?")
_TLDS = frozenset(name.lower() for name in TLDS)
# Top-level domains too, but in a text they end the names of files.
_FILES = frozenset(("zip", "mov", "md", "sh", "py", "rs", "pl", "ps", "app", "cab"))
_PIECES = re.compile(r"[^:.@]+|[:.@]")
_PLAIN_HOST = re.compile(r"(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*")  # which reads one way alone
_HARMLESS = "about:blank"  # opens nothing, wherever it stands
_NO_ROOM = frozenset(("base", "meta", "svg a", "math"))  # constructs beside which no text can stand


class SenderMode(BaseModel):
    """Another mode for some senders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    senders: tuple[str, ...] = Field(
        min_length=1,
        description="Addresses, or domains that stand for themselves and what is below them. They "
        "count only where they are proven: by the login, or for mail from outside by what the "
        "author's domain vouches for.",
    )
    mode: Mode = Field(description="What is done to the links in their mail.")


class LinksSettings(CheckSettings):
    """Which links are changed, and how."""

    inbound: Mode = Field("copy-page", description="Mail from outside to the district.")
    internal: Mode = Field("off", description="Mail within the district.")
    outbound: Mode = Field("off", description="Mail to the outside.")
    exempt_domains: tuple[str, ...] = Field(
        (),
        description="Links to these domains, and to what is below them, stay. "
        "The district's own always do.",
    )
    by_sender: tuple[SenderMode, ...] = Field(
        (), description="Other modes for some senders, in every direction; the first that fits."
    )


class Links:
    """R39 for every link that a mail client would make clickable."""

    name: ClassVar[str] = "links"
    Settings: ClassVar[type[CheckSettings]] = LinksSettings
    needs: ClassVar[frozenset[str]] = frozenset(("reading", "owner", "spf", "dkim", "dmarc"))
    findings: ClassVar[tuple[FindingType, ...]] = (REWRITTEN, PRESENT, DECEPTIVE, NOT_EDITABLE)

    def examine(self, transaction: Transaction, facts: Facts, settings: LinksSettings) -> Verdict:
        reading = facts.reading
        directions = _by_mode(transaction, facts, settings)
        if not directions:
            return Verdict(self.name)
        if isinstance(reading, Unavailable):
            return Verdict(self.name, error=f"the message was not read: {reading.unavailable}")
        exempt = frozenset(map(_domain, settings.exempt_domains))
        found: list[Finding] = []
        edits: list[Edit] = []
        for mode, recipients in directions:
            copy = () if len(recipients) == len(transaction.envelope.recipients) else recipients
            changed, stuck, proposed = _work(reading, facts, mode, exempt, copy)
            edits += proposed
            if changed:
                kind = PRESENT if mode == "warn" else REWRITTEN
                found.append(Finding(kind.code, _list(changed), copy))
            if stuck:
                found.append(Finding(NOT_EDITABLE.code, _reason(reading, stuck), copy))
            left = _left_alone(transaction.message, reading) if mode != "warn" else ""
            if left:
                found.append(Finding(NOT_EDITABLE.code, left, copy))
            if reading.truncated:
                found.append(
                    Finding(
                        NOT_EDITABLE.code, "The message is too long to find all its links.", copy
                    )
                )
        concerned = tuple(r for _, recipients in directions for r in recipients)
        found += _deceptions(reading, exempt, facts, concerned)
        return Verdict(self.name, tuple(found), tuple(edits))


def _by_mode(
    transaction: Transaction, facts: Facts, settings: LinksSettings
) -> list[tuple[Mode, tuple[str, ...]]]:
    """The recipients by what is done for them; "off" left out."""
    found: dict[Mode, list[str]] = {}
    by_sender = _for_sender(transaction, facts, settings)
    for recipient in transaction.envelope.recipients:
        own = facts.district.owns(recipient)
        mode: Mode
        if by_sender:
            mode = by_sender
        elif not own:
            mode = settings.outbound
        elif transaction.origin is Origin.OUTSIDE:
            mode = settings.inbound
        else:
            mode = settings.internal
        if mode != "off":
            found.setdefault(mode, []).append(recipient)
    return [(mode, tuple(recipients)) for mode, recipients in found.items()]


def _for_sender(transaction: Transaction, facts: Facts, settings: LinksSettings) -> Mode | None:
    """The mode of the first entry that names the proven sender: nobody gets another by a claim."""
    if not settings.by_sender:
        return None
    if transaction.origin is Origin.OUTSIDE:
        author = identity.author(transaction)
        sender = author if author_authenticated(transaction, facts) else ""
    else:
        sender = identity.identity(transaction, facts).authenticated_as
    if not sender:
        return None
    domain = address.domain_of(sender)
    for entry in settings.by_sender:
        for name in map(str.lower, entry.senders):
            if name == sender if "@" in name else f".{domain}".endswith(f".{_domain(name)}"):
                return entry.mode
    return None


def _domain(written: str) -> str:
    """A domain of the settings as `site_of` gives one."""
    return links.readings_of_host(written.lower().strip("."))[0]


def _left_alone(message: Message, reading: Reading) -> str:
    """What is said where a form beside the text, which nobody may edit, has links too."""
    kinds = other_versions(message, reading.texts)
    having = dict.fromkeys(
        part.content_type
        for part in message.parts
        if part.content_type in kinds and b"http" in mime.decoded_body(message, part)[0].lower()
    )
    return f"The form of it in {' and '.join(having)} must not be changed." if having else ""


def _work(
    reading: Reading, facts: Facts, mode: Mode, exempt: frozenset[str], recipients: tuple[str, ...]
) -> tuple[list[Link], list[Link], list[Edit]]:
    """Links changed (or, for warn, found), links left clickable, and the edits."""
    changed: list[Link] = []
    stuck: list[Link] = []
    edits: list[Edit] = []
    for text in reading.texts:
        editable = text.editable and not reading.untouchable
        behind = -1
        dropped = False  # whether the tags of the last anchor go away
        for link in text.links:
            inner = link.construct == "a text"  # clickable by itself only without the anchor
            if (inner and not dropped) or _exempt(link, exempt, facts):
                dropped = dropped and link.construct != "a"
                continue
            proposed = _edits(text, link, facts, mode, recipients) if editable else []
            if link.construct == "a":
                dropped = bool(proposed) and proposed[0].start == link.outer_start
            if mode == "warn":
                changed.append(link)
            elif not proposed:
                stuck.append(link)
            elif proposed[0].start >= behind:
                # Two attributes of one tag that is dropped whole are one edit.
                behind = proposed[0].end
                edits += proposed
                if not inner:
                    changed.append(link)
    return changed, stuck, edits


def _exempt(link: Link, exempt: frozenset[str], facts: Facts) -> bool:
    name = _opened(link.target)
    if facts.district.copy_page_url and _is_ours(link.target, facts):
        return True
    if not name:
        return False
    if facts.district.owns_domain(name):
        return not _is_copy_page(link.target, facts)
    if len(name) > _LONGEST_HOST:
        return False
    while name:
        if name in exempt:
            return True
        name = name.partition(".")[2]
    return False


def _opened(target: str) -> str:
    """The host that a browser goes to; most are plain and need no closer look."""
    name = links.host(target)
    return name if _PLAIN_HOST.fullmatch(name) else site_of(target).opened


def _is_copy_page(target: str, facts: Facts) -> bool:
    page = facts.district.copy_page_url
    return bool(page) and target.startswith(f"{page}/l/")


def _is_ours(target: str, facts: Facts) -> bool:
    """Whether a link already points to our page with a token that we made: not sealed twice."""
    if not _is_copy_page(target, facts):
        return False
    try:
        links.open_(target[len(facts.district.copy_page_url) + 3 :], facts.link_keys)
    except links.LinkError:
        return False
    return True


def _edits(
    text: TextPart, link: Link, facts: Facts, mode: Mode, recipients: tuple[str, ...]
) -> list[ReplaceText]:
    """The edits of one link; empty where there is none that keeps the address exact."""
    if mode == "warn":
        return []
    if mode == "copy-page" and facts.link_keys and facts.district.copy_page_url:
        try:
            token = links.seal(link.target, facts.link_keys)
        except links.LinkError:
            pass  # not for the page (another scheme, too long): made visible instead
        else:
            page = f"{facts.district.copy_page_url}/l/{token}"
            if text.subtype == "html":
                page = html.escape(page)
                if link.construct.endswith("meta"):
                    page = f"0; url={page}"
            return [_replace(text, link.start, link.end, _quoted(text, link, page), recipients)]
    if text.subtype == "plain":
        # The address is already what the reader sees, and any change that keeps a mail program
        # from making it clickable would change what is copied.
        return []
    return list(_unlinked(text, link, recipients))


def _unlinked(text: TextPart, link: Link, recipients: tuple[str, ...]) -> Iterator[ReplaceText]:
    """HTML with the real address as visible text and nothing to click."""
    address = unclickable(link.target)
    # In a piece of its own, so that the bracket does not grow onto an address in front of it.
    bracketed = f"<span>[</span>{address}<span>]</span>"
    if link.construct in ("text", "a text"):
        yield _replace(text, link.start, link.end, address, recipients)
    elif link.construct == "a":
        if link.close_end > link.close_start:
            tail = "</span>" if link.text == link.target else f" {bracketed}</span>"
            yield _replace(text, link.outer_start, link.outer_end, "<span>", recipients)
            yield _replace(text, link.close_start, link.close_end, tail, recipients)
        else:
            yield _replace(text, link.outer_start, link.outer_end, f"{bracketed} ", recipients)
    else:
        harmless = _quoted(text, link, _HARMLESS)
        yield _replace(text, link.start, link.end, harmless, recipients)
        if link.construct in _NO_ROOM or link.construct.startswith(("comment", "v:")):
            return
        if link.close_end > link.close_start:
            yield _replace(text, link.close_start, link.close_start, f" {bracketed}", recipients)
        else:
            yield _replace(text, link.outer_end, link.outer_end, f" {bracketed}", recipients)


def unclickable(target: str) -> str:
    """An address as HTML that reads and copies exactly, but that no mail program makes clickable.

    They look for an address within one piece of text, so a tag goes around each colon and dot.
    """
    return "".join(f"<span>{html.escape(piece)}</span>" for piece in _PIECES.findall(target))


def _quoted(text: TextPart, link: Link, value: str) -> str:
    """A value for the place of another; in quotes where the old one had none."""
    if text.subtype != "html" or link.construct == "text":
        return value
    if text.text[link.start - 1 : link.start] in ("'", '"'):
        return value
    return f'"{value}"'


def _replace(
    text: TextPart, start: int, end: int, replacement: str, recipients: tuple[str, ...]
) -> ReplaceText:
    return ReplaceText(text.path, start, end, replacement, Phase.CONTENT, recipients)


def _deceptions(
    reading: Reading, exempt: frozenset[str], facts: Facts, concerned: tuple[str, ...]
) -> list[Finding]:
    found = []
    for link in reading.links:
        named = named_site(link.text) if not link.construct.endswith("text") else ""
        target = _opened(link.target) if named else ""
        if target and not same_site(named, target) and not _is_ours(link.target, facts):
            evidence = f"A link reads {named!r} but opens {target!r}."
            found.append(Finding(DECEPTIVE.code, _printable(evidence), concerned))
            if len(found) == _SHOWN:
                break
    return found


def named_site(shown: str) -> str:
    """The host that a link's text names, where the text is nothing but an address; else ""."""
    words = shown.strip().rstrip(".,;:!?)").lower()
    if len(words) > 2_000 or not words or any(c.isspace() for c in words):
        return ""
    found = _SITE.fullmatch(words)
    if found is None:
        return ""
    name = found[1]
    last = name.rpartition(".")[2]
    explicit = words.startswith(("http://", "https://", "www."))
    known = last in _TLDS or last.startswith("xn--")
    return name if explicit or (known and last not in _FILES) else ""


def same_site(one: str, other: str) -> bool:
    """Whether two hosts belong together: they are one, or below one registrable domain."""
    first, second = (site_of(f"https://{name}").opened for name in (one, other))
    return first == second or same_owner(first, second)


def _list(found: Sequence[Link]) -> str:
    targets = list(dict.fromkeys(link.target for link in found))
    shown = ", ".join(_printable(target)[:_LONGEST_SHOWN] for target in targets[:_SHOWN])
    more = f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else ""
    return f"{len(found)} of its links: {shown}{more}."


def _reason(reading: Reading, stuck: Sequence[Link]) -> str:
    obstacles = {text.path: text.obstacle for text in reading.texts}
    why = reading.untouchable or next((o for p in stuck if (o := obstacles.get(p.part, ""))), "")
    because = f"the message is {why}" if reading.untouchable else why
    return f"{_list(stuck)[:-1]}; {because or 'plain text is left as it stands'}."


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
