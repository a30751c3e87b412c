"""Nobody outside passes for somebody of the district (R1).

Owns the likenesses that people fall for: a staff member's name or title on an outside address, a
domain that looks like the district's or a partner's, an address inside a display name, answers
that go elsewhere; and the exceptions that a district registers. `sender_identity` owns mail that
claims the district's own addresses. Must not know how names and domains are compared, or how an
author is proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar, Literal

from pydantic import Field

from mailguard.checks.impersonation.lookalike import Lookalikes, lookalikes
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.links.public_suffix import same_owner
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Role, Transaction
from mailguard.core.people import names
from mailguard.core.people.model import Person
from mailguard.core.sender.claimed_addresses import AUTHOR_FIELDS, claims
from mailguard.core.sender.outside_proof import Proof, author_proof
from mailguard.core.spam.headers import FREE_MAIL

STAFF_NAME = FindingType(
    "impersonation.staff-name",
    "the display name is that of a staff member, the address is not",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Staff write from their district address. Anybody else may write under a display "
    "name that cannot be taken for a staff member's.",
)
SIMILAR_NAME = FindingType(
    "impersonation.similar-name",
    "the display name may be short for a staff member's",
    ("R1",),
    Disposition.FORWARD,
    advice="Write your name in full.",
)
STAFF_TITLE = FindingType(
    "impersonation.staff-title",
    "the display name claims an office of the district, the address is outside",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Offices of the district write from its own addresses. Anybody else may write under "
    "their own name.",
)
LOOKALIKE_DOMAIN = FindingType(
    "impersonation.lookalike-domain",
    "an address looks like one of the district's or a partner's",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message from another address, or ask for your domain to be registered.",
)
ADDRESS_IN_NAME = FindingType(
    "impersonation.address-in-name",
    "the display name shows an address that is not the sender's",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Take the address out of the display name.",
)
REPLY_TO_LEAVES = FindingType(
    "impersonation.reply-to-leaves",
    "the message presents itself as the district's, and answers go to a free mailbox",
    ("R1",),
    Disposition.FORWARD,
    advice="Let answers go to the address that the message comes from.",
)
REGISTERED_ADDRESS = FindingType(
    "impersonation.registered-address",
    "a registered outside address bears a staff member's name",
    ("R1",),
    Disposition.FORWARD,
)

_LISTED = 5  # addresses that evidence names at most
_COMPARED = 100  # addresses; whoever names more is ambiguous or one of several authors anyway
_SHOWN = 100  # characters of a display name in evidence


class ImpersonationSettings(CheckSettings):
    """Who may look like whom."""

    staff_names: Literal["everybody", "roles"] = Field(
        "everybody",
        description="Whose names nobody outside may bear: `everybody` whom the directory "
        "protects, or only people with `roles`; the others' names are then similar-name.",
    )
    titles: tuple[str, ...] = Field(
        (),
        description="Titles besides the directory's that nobody outside may bear alone, such as "
        "School Board or IT Help Desk.",
    )
    partners: tuple[str, ...] = Field(
        (),
        description="Domains of others whose lookalikes are found too: the county, the payroll "
        "service, the bank.",
    )
    other_endings: bool = Field(
        True,
        description="Whether the name of a listed domain under another ending is a lookalike "
        "(example.com of example.org), from six letters on.",
    )
    known_domains: tuple[str, ...] = Field(
        (), description="Domains that look like a listed one and are known to be others'."
    )
    free_mail: tuple[str, ...] = Field(
        (), description="Domains where anybody gets a mailbox, besides those known."
    )
    may_use_staff_names: tuple[str, ...] = Field(
        (),
        description="Outside addresses, each written in full, that may bear a staff member's "
        "display name or title, such as a service that sends for staff. Staff members' own are "
        "`personal_addresses` in the directory.",
    )
    exceptions_need_authentication: bool = Field(
        True,
        description="Whether registered addresses count only where DMARC, DKIM or SPF proves "
        "them. If not, an equal reverse-path is enough where these gave no answer; whoever can "
        "delay the answer can then forge a registered address.",
    )
    relay_vouches: bool = Field(
        True,
        description="A trusted server (a `relay` listener) vouches for senders with a district "
        "address, so that they bear whatever name they do.",
    )


class Impersonation:
    """R1: outside mail is not taken for a staff member's, an office's or a partner's."""

    name: ClassVar[str] = "impersonation"
    Settings: ClassVar[type[CheckSettings]] = ImpersonationSettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {"namesakes", "short_namesakes", "offices", "spf", "dkim", "dmarc"}
    )
    findings: ClassVar[tuple[FindingType, ...]] = (
        STAFF_NAME,
        STAFF_TITLE,
        LOOKALIKE_DOMAIN,
        ADDRESS_IN_NAME,
        SIMILAR_NAME,
        REPLY_TO_LEAVES,
        REGISTERED_ADDRESS,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: ImpersonationSettings
    ) -> Verdict:
        """Compare what mail without a login shows with what the district is."""
        if transaction.envelope.account is not None:
            return Verdict(self.name)  # an account's claims are `sender_identity`'s
        likenesses = lookalikes(
            (*facts.district.domains, *settings.partners), settings.other_endings
        )
        found = list(_domains(transaction, facts, settings, likenesses))
        author = transaction.message.author
        vouched = (
            settings.relay_vouches
            and transaction.listener.role is Role.RELAY
            and author.addresses
            and all(facts.district.owns(mailbox) for mailbox in author.addresses)
        )
        if not vouched:
            shown = list(_names(transaction, facts, settings))
            shown += _inner_addresses(transaction, facts, likenesses)
            if _presents(transaction, facts, shown):
                shown += _answers(transaction, settings)
            found += shown
        return Verdict(self.name, tuple(found))


def _domains(
    transaction: Transaction, facts: Facts, settings: ImpersonationSettings, like: Lookalikes
) -> Iterator[Finding]:
    """The first address anywhere that looks like it were at a domain it is not at."""
    known = frozenset(settings.known_domains)
    claimed = islice(claims(transaction, (*AUTHOR_FIELDS, "Reply-To")), _COMPARED)
    # People see From: evidence from there is understood best.
    for where, mailbox in sorted(claimed, key=lambda claim: claim[0] != "From"):
        domain = address.domain_of(mailbox)
        if facts.district.owns_domain(domain) or _below(domain, known):
            continue
        likeness = like.like(domain)
        if likeness is not None:
            yield Finding(
                LOOKALIKE_DOMAIN.code,
                f"{where}: {mailbox} looks like an address at {likeness.domain} and is none: "
                f"{likeness.how}",
            )
            return
        if where == "From":
            yield from _in_local_part(mailbox, facts)


def _in_local_part(mailbox: str, facts: Facts) -> Iterator[Finding]:
    """ "jane.doe.example.org@home.test"; lists write "jane=example.org@", which passes."""
    local = address.local_part(mailbox)
    for domain in facts.district.domains:
        if len(local) > len(domain) and local.endswith((f".{domain}", f"@{domain}", f'@{domain}"')):
            yield Finding(
                LOOKALIKE_DOMAIN.code,
                f"From: {mailbox} looks like an address at {domain} and is one at "
                f"{address.domain_of(mailbox)}",
            )
            return


def _names(
    transaction: Transaction, facts: Facts, settings: ImpersonationSettings
) -> Iterator[Finding]:
    """Names and titles of the district's on somebody else's address."""
    written = {address.normalise(mailbox) for mailbox in transaction.message.author.addresses}
    shown = ", ".join(sorted(written)[:_LISTED]) or "(none)"
    strong, weak = facts.namesakes, facts.short_namesakes
    if settings.staff_names == "roles":
        strong = tuple(person for person in facts.namesakes if person.roles)
        weak = (*(person for person in facts.namesakes if not person.roles), *weak)
    titles = [office.title for office in facts.offices] or _listed_titles(transaction, settings)
    if not (strong or weak or titles):
        return
    excused = _excused(transaction, facts, settings, written, (*strong, *weak))
    if excused is not None:
        yield Finding(REGISTERED_ADDRESS.code, excused)
    elif strong:
        person = strong[0]
        # Whether the address is theirs does not matter where nobody proved to have sent from it.
        truth = "is not proven" if written & set(person.addresses) else "is not theirs"
        yield Finding(
            STAFF_NAME.code,
            f"the display name is that of {_person(person)}; the address {shown} {truth}",
        )
    elif titles:
        yield Finding(STAFF_TITLE.code, _title_evidence(facts, titles[0], shown))
    elif weak:
        name = _first(transaction)[:_SHOWN]
        yield Finding(
            SIMILAR_NAME.code,
            f"the display name {name!r} may be taken for {_person(weak[0])}; "
            f"the address {shown} is not theirs",
        )


def _title_evidence(facts: Facts, title: str, shown: str) -> str:
    office = facts.offices[0] if facts.offices else None
    if office is None:
        return f"the display name is {title!r}, an office of the district; {shown} is outside"
    place = f", {office.place}" if office.place else ""
    held = f", as {office.holder} is" if office.holder and not office.place else ""
    return f"the display name claims to be {title}{place}{held}; the address {shown} is outside"


def _listed_titles(transaction: Transaction, settings: ImpersonationSettings) -> list[str]:
    """The settings' own titles, where the display name is one of them and no more."""
    if not settings.titles:
        return []
    shown = {names.folded_words(box.display_name) for box in transaction.message.author.boxes[:10]}
    return [title for title in settings.titles if names.folded_words(title) in shown]


def _excused(
    transaction: Transaction,
    facts: Facts,
    settings: ImpersonationSettings,
    written: set[str],
    people: tuple[Person, ...],
) -> str | None:
    """Why a registered address may bear the name: the evidence, or None where it may not.

    One author only, and something must say that the message is from that address.
    """
    if len(written) != 1:
        return None
    (mailbox,) = written
    owner = next((person for person in people if mailbox in person.personal_addresses), None)
    listed = {address.normalise(entry) for entry in settings.may_use_staff_names}
    if owner is None and mailbox not in listed:
        return None
    proof = author_proof(transaction, facts)
    whose = f"a registered address of {owner.name}" if owner else "registered in the policy"
    if proof is Proof.NONE:
        return None
    if proof is Proof.UNKNOWN:
        same = address.normalise(transaction.envelope.reverse_path) == mailbox
        if settings.exceptions_need_authentication or not same:
            return None
        return f"{mailbox} is {whose}; the reverse-path is the same, and nothing else answered"
    return f"{mailbox} is {whose}, proven by {proof.value}"


def _inner_addresses(
    transaction: Transaction, facts: Facts, likenesses: Lookalikes
) -> Iterator[Finding]:
    """The first display name that shows another address, of the district, a partner or alike."""
    for box in transaction.message.author.boxes:
        inner = _address_shown(box.display_name)
        if inner and inner != address.normalise(box.address):
            domain = address.domain_of(inner)
            if (
                facts.district.owns_domain(domain)
                or likenesses.holds(domain)
                or likenesses.like(domain)
            ):
                yield Finding(
                    ADDRESS_IN_NAME.code,
                    f"the display name shows {inner}; the address is {box.address}",
                )
                return


def _presents(transaction: Transaction, facts: Facts, found: list[Finding]) -> bool:
    """Whether the From field as a whole says "the district"."""
    if {finding.code for finding in found} - {REGISTERED_ADDRESS.code}:
        return True
    author = transaction.message.author
    if any(facts.district.owns(mailbox) for mailbox in author.addresses):
        return True
    shown = f" {' '.join(names.folded_words(_first(transaction)))} "
    own = (names.folded_words(n) for n in (facts.district.name, facts.district.short_name))
    return any(words and f" {' '.join(words)} " in shown for words in own)


def _answers(transaction: Transaction, settings: ImpersonationSettings) -> Iterator[Finding]:
    """Answers that leave the author's organization for a free mailbox."""
    message = transaction.message
    authors = message.author.addresses
    if not message.fields("Reply-To") or not authors:
        return
    free = FREE_MAIL | frozenset(settings.free_mail)
    for mailbox in message.mailboxes("Reply-To").addresses[:_LISTED]:
        domain = address.domain_of(address.normalise(mailbox))
        home = [address.domain_of(address.normalise(author)) for author in authors[:_LISTED]]
        if domain in free and not any(same_owner(domain, one) for one in home):
            yield Finding(
                REPLY_TO_LEAVES.code,
                f"the message presents itself as {_first(transaction)[:_SHOWN]!r} at {home[0]}, "
                f"and answers go to {mailbox}",
            )
            return


def _address_shown(display_name: str) -> str:
    """The first thing in a display name that a reader would take for an address."""
    if not display_name or ("@" not in display_name and "＠" not in display_name):
        return ""
    for word in display_name[:500].replace("＠", "@").split():
        local, at, domain = word.strip("<>()[]{}\"',;:").rpartition("@")
        if at and local and "." in domain:
            return address.normalise(f"{local}@{domain}")
    return ""


def _first(transaction: Transaction) -> str:
    boxes = transaction.message.author.boxes
    return boxes[0].display_name if boxes else ""


def _below(domain: str, listed: frozenset[str]) -> bool:
    """Whether a domain is listed, or below one that is."""
    while domain and listed:
        if domain in listed:
            return True
        domain = domain.partition(".")[2]
    return False


def _person(person: Person) -> str:
    return f"{person.name}, {person.title}" if person.title else person.name
