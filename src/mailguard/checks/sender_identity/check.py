"""Nobody misrepresents, masks or replaces a user's identity (R1 to R4, R6).

Owns the questions of who may write as whom. On submission the account must own the reverse-path
and every author, sender and reply address, or borrow them by a written grant and say so (V6); a
leaver's account owns nothing any more. A trusted server vouches for the district's own
addresses; from outside nobody may claim the district's domain. `impersonation` owns the likenesses:
names, titles and domains that a reader takes for the district's.
Must not know SPF, DKIM or DMARC beyond their facts, which are not used yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from mailguard.checks.sender_identity import delegation
from mailguard.checks.sender_identity.ownership import Ownership, ownership
from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.mail import address
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Role, Transaction
from mailguard.core.people import names
from mailguard.core.people.model import Account, Person
from mailguard.core.sender.claimed_addresses import claims
from mailguard.core.sender.outside_proof import claim_proven

NOT_OWNER = FindingType(
    "sender-identity.not-owner",
    "the account does not own the sender's address",
    ("R1",),
    Disposition.BOUNCE,
    advice="Send the message from your own address, or ask for the address to be registered "
    "with your account.",
)
UNKNOWN_ACCOUNT = FindingType(
    "sender-identity.unknown-account",
    "the account is not in the district's directory",
    ("R1",),
    Disposition.BOUNCE,
    advice="Ask for the account to be entered in the directory.",
)
CLAIMS_DISTRICT = FindingType(
    "sender-identity.claims-district",
    "mail from outside claims an address of the district",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message through the district's own mail server, with a login.",
)
STAFF_NAME = FindingType(
    "sender-identity.staff-name",
    "the display name is that of another staff member",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Set the display name of your mail program to your name as in the directory.",
)
AMBIGUOUS_AUTHOR = FindingType(
    "sender-identity.ambiguous-author",
    "the From field is missing, repeated or malformed",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message with one well-formed From field (RFC 5322).",
)
SEVERAL_AUTHORS = FindingType(
    "sender-identity.several-authors",
    "the From field names several authors",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message with one author, or with a Sender field that says who sends it.",
)
DISPLAY_NAME = FindingType(
    "sender-identity.display-name",
    "the display name is not the directory's",
    ("R2",),
    Disposition.FORWARD,
    advice="Set the display name of your mail program to your name as in the directory.",
)
ORGANIZATION = FindingType(
    "sender-identity.organization",
    "the Organization field names neither the district nor a site",
    ("R2",),
    Disposition.FORWARD,
    advice="Set the organization in your mail program to the district's or your site's name.",
)
LEAVER = FindingType(
    "sender-identity.leaver",
    "the account's owner has left the district",
    ("R6",),
    Disposition.BOUNCE,
    advice="If that is a mistake, ask for the directory to be corrected.",
)
MANY_CLIENTS = FindingType(
    "sender-identity.many-clients",
    "the account was used from many client addresses within an hour",
    ("R4",),
    Disposition.FORWARD,
    advice="An account is one person's. If somebody else uses yours, change your password.",
)

_LISTED = 5  # addresses that evidence names at most


class SenderIdentitySettings(CheckSettings):
    """Who may write as whom."""

    relay_vouches: bool = Field(
        True,
        description="A trusted server (a `relay` listener) vouches for senders with a district "
        "address. Otherwise its mail is judged like mail from outside.",
    )
    reply_to: Literal["owned", "district", "any"] = Field(
        "owned",
        description="Which Reply-To an account may use: `owned` its own addresses, `district` "
        "any address of the district, `any` also addresses outside.",
    )
    delimiter: str = Field(
        "",
        max_length=1,
        description="Separates a detail from the local part, as in jane+trips@; an account owns "
        "every detail of its addresses. Empty: no details.",
    )
    delegate_phrase: Literal["require", "insert"] = Field(
        "require",
        description="Where an assistant sends for an administrator and V6 is missing: `require` "
        "refuses the message with the text to paste, `insert` adds it (R3).",
    )
    many_clients: int = Field(
        5,
        ge=2,
        le=64,
        description="From how many client addresses within an hour an account's use is an alert; "
        "an IPv6 /64 counts as one (R4).",
    )


class SenderIdentity:
    """R1 to R4, R6: the proven sender owns what the message says of its sender."""

    name: ClassVar[str] = "sender_identity"
    Settings: ClassVar[type[CheckSettings]] = SenderIdentitySettings
    needs: ClassVar[frozenset[str]] = frozenset(
        {"account", "account_clients", "owner", "people", "namesakes", "grants", "reading"}
        | {"spf", "dkim", "dmarc"}
    )
    findings: ClassVar[tuple[FindingType, ...]] = (
        NOT_OWNER,
        UNKNOWN_ACCOUNT,
        CLAIMS_DISTRICT,
        STAFF_NAME,
        AMBIGUOUS_AUTHOR,
        SEVERAL_AUTHORS,
        DISPLAY_NAME,
        ORGANIZATION,
        *delegation.FINDINGS,
        LEAVER,
        MANY_CLIENTS,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: SenderIdentitySettings
    ) -> Verdict:
        """Judge by what the client proved: an account, a trusted server's word, or nothing."""
        login = transaction.envelope.account
        form = tuple(_form(transaction.message))
        if login is None and facts.account is None:
            found = (*_unproven(transaction, facts, settings), *_left(transaction, facts))
            return Verdict(self.name, (*form, *found))
        if isinstance(facts.account, Unavailable):
            return Verdict(self.name, error=f"account: {facts.account.unavailable}")
        if facts.account is None:
            unknown = Finding(UNKNOWN_ACCOUNT.code, f"no account {login!r} is registered")
            return Verdict(self.name, (*form, unknown))
        return _by_account(transaction, facts, facts.account, settings, form)


def _form(message: Message) -> Iterator[Finding]:
    """What is wrong with the From field itself, whoever sent it (RFC 5322 3.6.2)."""
    author, fields = message.author, message.fields("From")
    if not fields:
        yield Finding(AMBIGUOUS_AUTHOR.code, "the message has no From field")
    elif len(fields) > 1:
        yield Finding(AMBIGUOUS_AUTHOR.code, f"the message has {len(fields)} From fields")
    elif author.ambiguous or not author.addresses:
        reasons = " ".join(
            address.DEFECTS[code].meaning
            for code in author.defects
            if address.DEFECTS[code].ambiguous
        )
        yield Finding(
            AMBIGUOUS_AUTHOR.code,
            f"mail readers would disagree on whom the From field names: {reasons[:500]}",
        )


def _by_account(
    transaction: Transaction,
    facts: Facts,
    account: Account,
    settings: SenderIdentitySettings,
    form: tuple[Finding, ...],
) -> Verdict:
    """Mail under a login, or from a device: every address is the account's, and so is the name."""
    message = transaction.message
    found: list[Finding] = [*form, *_left(transaction, facts)]

    def reply_to_allowed(mailbox: str) -> bool:
        inside = settings.reply_to == "district" and facts.district.owns(mailbox)
        return inside or settings.reply_to == "any"

    claimed = ownership(transaction, facts, account, settings.delimiter, reply_to_allowed)
    found += _alien(transaction, account, claimed)
    spoken = delegation.judge(
        message, facts, claimed.borrowed, insert=settings.delegate_phrase == "insert"
    )
    found += spoken.findings
    if spoken.error:
        return Verdict(SenderIdentity.name, tuple(found), error=spoken.error)
    # Several authors who are all the account's own are one person with several addresses.
    found += _names_of_account(message, facts, account, claimed)
    if facts.account_clients >= settings.many_clients:
        found.append(
            Finding(
                MANY_CLIENTS.code,
                f"the account {account.login} was used from {facts.account_clients} client "
                "addresses within an hour",
            )
        )
    return Verdict(SenderIdentity.name, tuple(found), spoken.edits)


def _left(transaction: Transaction, facts: Facts) -> Iterator[Finding]:
    """A leaver sends nothing; what their mailbox answers by itself through a server may (R7)."""
    owner = facts.owner
    since = owner.left_since(facts.today) if owner is not None else None
    if owner is None or since is None:
        return
    automatic = transaction.message.is_automatic and not transaction.envelope.reverse_path
    if transaction.envelope.account is None and automatic:
        return
    yield Finding(LEAVER.code, f"{owner.name} has left the district; disabled since {since}")


def _alien(transaction: Transaction, account: Account, claimed: Ownership) -> Iterator[Finding]:
    alien = claimed.alien
    if not transaction.envelope.reverse_path and not transaction.message.is_automatic:
        alien = [*alien, "the null reverse-path, which only automatic mail may use"]
    if alien:
        more = f" and {len(alien) - _LISTED} more" if len(alien) > _LISTED else ""
        yield Finding(
            NOT_OWNER.code,
            f"the account {account.login} does not own {'; '.join(alien[:_LISTED])}{more}",
        )


def _names_of_account(
    message: Message, facts: Facts, account: Account, claimed: Ownership
) -> Iterator[Finding]:
    # A device or a generic account has no owner: there is nobody's name to compare with.
    owner = facts.owner if facts.owner is not None and facts.owner.id == account.owner else None
    allowed = _skeletons(owner) if owner else set()
    lent = {
        mailbox: borrowed.principal
        for borrowed in claimed.borrowed
        if borrowed.in_force
        for mailbox in borrowed.principal.addresses
    }
    shown, strange = [], []
    for box in message.author.boxes:
        if box.display_name:
            principal = lent.get(address.normalise(box.address))
            shown.append(box.display_name)
            known = _skeletons(principal) if principal is not None else allowed
            if names.skeleton(box.display_name) not in known:
                strange.append(box.display_name)
    others = [person for person in facts.namesakes if person is not owner]
    if strange and others and (owner not in facts.namesakes or len(shown) > 1):
        yield Finding(
            STAFF_NAME.code,
            f"the display name is that of {_person(others[0])}; "
            f"the account {account.login} is not theirs",
        )
        return
    if owner is None:
        return
    if strange:
        yield Finding(
            DISPLAY_NAME.code,
            f"the display name {strange[0][:100]!r} is not that of {owner.name}",
        )
    organization = message.value("Organization")
    if organization:
        affiliations = [site.name for i in owner.sites if (site := facts.sites.get(i)) is not None]
        known = {facts.district.name, facts.district.short_name, *affiliations}
        if names.skeleton(organization) not in {names.skeleton(name) for name in known}:
            yield Finding(
                ORGANIZATION.code,
                f"Organization says {organization[:100]!r}, which is neither "
                f"{facts.district.name} nor a site of {owner.name}",
            )


def _unproven(
    transaction: Transaction, facts: Facts, settings: SenderIdentitySettings
) -> Iterator[Finding]:
    """Mail without a login: from a trusted server, or from anywhere."""
    district, author = facts.district, transaction.message.author
    vouched = settings.relay_vouches and transaction.listener.role is Role.RELAY
    if not vouched:
        own = [
            f"{where}: {mailbox}"
            for where, mailbox in claims(transaction)
            if district.owns(mailbox) and not claim_proven(where, mailbox, transaction, facts)
        ]
        if own:
            yield Finding(
                CLAIMS_DISTRICT.code,
                "the client did not log in and no SPF or DKIM of the district vouches for it, yet "
                f"the message claims {'; '.join(own[:_LISTED])}",
            )
    if len(author.addresses) > 1 and not (
        vouched and all(district.owns(mailbox) for mailbox in author.addresses)
    ):
        sender = transaction.message.mailboxes("Sender").addresses
        by = f", sent by {sender[0]}" if len(sender) == 1 else ", without a Sender"
        yield Finding(
            SEVERAL_AUTHORS.code,
            f"From names {len(author.addresses)} authors: "
            f"{'; '.join(author.addresses[:_LISTED])}{by}",
        )


def _skeletons(person: Person) -> set[str]:
    return {names.skeleton(name) for name in (person.name, *person.other_names)}


def _person(person: Person) -> str:
    return f"{person.name}, {person.title}" if person.title else person.name
