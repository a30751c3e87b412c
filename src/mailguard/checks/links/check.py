"""Links are never clicked directly, they are copied and pasted (R39, S0 §U).

Owns the modes and whose mail each is for. `copy-page` points a link to the district's page that
shows the exact address; `unlink` makes the address visible text that nothing can click; `warn` only
says. Must not know how the copy page looks, or how edits are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from mailguard.checks.links import unlink
from mailguard.checks.links.shown_site import named_site, opened, same_site
from mailguard.core.decision.edit import Edit, ReplaceText
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.links import sealed
from mailguard.core.mail import address, mime, safe_text
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.render.insertion import other_versions
from mailguard.core.sender import identity
from mailguard.core.sender.outside_proof import author_authenticated
from mailguard.core.text.reading import Link, Reading, TextPart

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
    nested: Literal["leave", "rewrite"] = Field(
        "leave",
        description="Links in attached messages: left as they are, or treated as the others. "
        "Signed and encrypted ones are always left.",
    )
    show_sender: bool = Field(
        False,
        description="The copy page says from whom the message says it is, and when it came. The "
        "link then holds the sender's address and the minute.",
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
        nested = reading.nested if settings.nested == "rewrite" else ()
        work = _Work(
            reading,
            (*reading.texts, *nested),
            facts,
            frozenset(map(_domain, settings.exempt_domains)),
            _sent(transaction) if settings.show_sender else None,
        )
        truncated = reading.truncated or (settings.nested == "rewrite" and reading.nested_truncated)
        found: list[Finding] = []
        edits: list[Edit] = []
        for mode, recipients in directions:
            copy = () if len(recipients) == len(transaction.envelope.recipients) else recipients
            changed, stuck, proposed = work.done(mode, copy)
            edits += proposed
            if changed:
                kind = PRESENT if mode == "warn" else REWRITTEN
                found.append(Finding(kind.code, _list(changed), copy))
            if stuck:
                found.append(Finding(NOT_EDITABLE.code, work.reason(stuck), copy))
            left = _left_alone(transaction.message, work.texts) if mode != "warn" else ""
            if left:
                found.append(Finding(NOT_EDITABLE.code, left, copy))
            if truncated:
                found.append(
                    Finding(
                        NOT_EDITABLE.code, "The message is too long to find all its links.", copy
                    )
                )
        concerned = tuple(r for _, recipients in directions for r in recipients)
        found += work.deceptions(concerned)
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
    return sealed.readings_of_host(written.lower().strip("."))[0]


def _sent(transaction: Transaction) -> sealed.LinkOrigin | None:
    """Whom the message says it is from, and when it came; None where readers may disagree."""
    author = transaction.message.author
    if author.ambiguous or len(author.addresses) != 1:
        return None
    return sealed.LinkOrigin(author.addresses[0], int(transaction.received_at // 60))


def _left_alone(message: Message, texts: Sequence[TextPart]) -> str:
    """What is said where a form beside a text, which nobody may edit, has links too."""
    kinds = {kind for text in texts for kind in other_versions(message, [text])}
    having = dict.fromkeys(
        part.content_type
        for part in message.parts
        if part.content_type in kinds and b"http" in mime.decoded_body(message, part)[0].lower()
    )
    return f"The form of it in {' and '.join(having)} must not be changed." if having else ""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done to the links of one message."""

    reading: Reading
    texts: tuple[TextPart, ...]  # with those of attached messages where they are to be changed
    facts: Facts
    exempt: frozenset[str]
    sent: sealed.LinkOrigin | None  # what the copy page is to say of the message

    def done(
        self, mode: Mode, recipients: tuple[str, ...]
    ) -> tuple[list[Link], list[Link], list[Edit]]:
        """Links changed (or, for warn, found), links left clickable, and the edits."""
        changed: list[Link] = []
        stuck: list[Link] = []
        edits: list[Edit] = []
        own = len(self.reading.texts)
        for number, text in enumerate(self.texts):
            editable = text.editable and not (self.reading.untouchable and number < own)
            behind = -1
            dropped = False  # whether the tags of the last anchor go away
            for link in text.links:
                inner = link.construct == "a text"  # clickable by itself only without the anchor
                if (inner and not dropped) or self._is_exempt(link.target):
                    dropped = dropped and link.construct != "a"
                    continue
                proposed = self._edits(text, link, mode, recipients) if editable else []
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

    def _edits(
        self, text: TextPart, link: Link, mode: Mode, recipients: tuple[str, ...]
    ) -> list[ReplaceText]:
        """The edits of one link; empty where there is none that keeps the address exact."""
        page, keys = self.facts.district.copy_page_url, self.facts.link_keys
        if mode == "warn":
            return []
        if mode == "copy-page" and keys and page:
            try:
                token = sealed.seal(link.target, keys, self.sent)
            except sealed.LinkError:
                pass  # not for the page (another scheme, too long): made visible instead
            else:
                return [unlink.pointed(text, link, f"{page}/l/{token}", recipients)]
        if text.subtype == "plain":
            # The address is already what the reader sees, and any change that keeps a mail program
            # from making it clickable would change what is copied.
            return []
        return list(unlink.unlinked(text, link, recipients))

    def _is_exempt(self, target: str) -> bool:
        name = opened(target)
        if self._is_ours(target):
            return True
        if not name:
            return False
        if self.facts.district.owns_domain(name):
            return not self._is_copy_page(target)
        if len(name) > _LONGEST_HOST:
            return False
        while name and self.exempt:
            if name in self.exempt:
                return True
            name = name.partition(".")[2]
        return False

    def _is_copy_page(self, target: str) -> bool:
        page = self.facts.district.copy_page_url
        return bool(page) and target.startswith(f"{page}/l/")

    def _is_ours(self, target: str) -> bool:
        """Whether a link already points to our page with a token of ours: not sealed twice."""
        if not self._is_copy_page(target):
            return False
        try:
            sealed.open_(target[len(self.facts.district.copy_page_url) + 3 :], self.facts.link_keys)
        except sealed.LinkError:
            return False
        return True

    def deceptions(self, concerned: tuple[str, ...]) -> list[Finding]:
        """Links whose text names another site than they open."""
        found = []
        for link in (link for text in self.texts for link in text.links):
            named = named_site(link.text) if not link.construct.endswith("text") else ""
            target = opened(link.target) if named else ""
            if target and not same_site(named, target) and not self._is_ours(link.target):
                evidence = f"A link reads {named!r} but opens {target!r}."
                found.append(Finding(DECEPTIVE.code, safe_text.evidence(evidence), concerned))
                if len(found) == _SHOWN:
                    break
        return found

    def reason(self, stuck: Sequence[Link]) -> str:
        """Why these links had to be left."""
        obstacles = {text.path: text.obstacle for text in self.texts}
        own = {text.path for text in self.reading.texts}
        whole = self.reading.untouchable if any(link.part in own for link in stuck) else ""
        why = next((o for link in stuck if (o := obstacles.get(link.part, ""))), "")
        because = f"the message is {whole}" if whole else why
        return f"{_list(stuck)[:-1]}; {because or 'plain text is left as it stands'}."


def _list(found: Sequence[Link]) -> str:
    targets = list(dict.fromkeys(link.target for link in found))
    shown = ", ".join(safe_text.evidence(target, _LONGEST_SHOWN) for target in targets[:_SHOWN])
    more = f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else ""
    return f"{len(found)} of its links: {shown}{more}."
