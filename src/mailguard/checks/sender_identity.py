"""Nobody misrepresents, masks or replaces a user's identity (R1, R2).

Owns the questions of who may write as whom. On submission the account must own the reverse-path
and every author, sender and reply address; a trusted server vouches for the district's own
addresses; from outside nobody may claim the district's domain, or a staff member's name.
Must not know SPF, DKIM or DMARC beyond their facts, which are not used yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from mailguard.core import address, names
from mailguard.core.directory import Account, Person
from mailguard.core.facts import Facts, Unavailable
from mailguard.core.message import Message
from mailguard.core.policy import CheckSettings, FindingType
from mailguard.core.transaction import Role, Transaction
from mailguard.core.verdict import Disposition, Finding, Verdict

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
LOOKALIKE_DOMAIN = FindingType(
    "sender-identity.lookalike-domain",
    "the sender's domain looks like the district's",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Send the message from another address.",
)
STAFF_NAME = FindingType(
    "sender-identity.staff-name",
    "the display name is that of a staff member, the address is not",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Staff write from their district address. Anybody else may write under a display "
    "name that cannot be taken for a staff member's.",
)
ADDRESS_IN_NAME = FindingType(
    "sender-identity.address-in-name",
    "the display name shows an address of the district",
    ("R1",),
    Disposition.QUARANTINE,
    advice="Take the address out of the display name.",
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

_AUTHORS = ("From", "Sender", "Resent-From", "Resent-Sender")  # fields that say who writes
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
    may_use_staff_names: tuple[str, ...] = Field(
        (),
        description="Outside addresses, each written in full, that may bear a staff member's "
        "display name; counts only where the reverse-path is the same address.",
    )


class SenderIdentity:
    """R1 and R2: the proven sender owns what the message says of its sender."""

    name: ClassVar[str] = "sender_identity"
    Settings: ClassVar[type[CheckSettings]] = SenderIdentitySettings
    needs: ClassVar[frozenset[str]] = frozenset({"account", "owner", "people", "namesakes"})
    findings: ClassVar[tuple[FindingType, ...]] = (
        NOT_OWNER,
        UNKNOWN_ACCOUNT,
        CLAIMS_DISTRICT,
        LOOKALIKE_DOMAIN,
        STAFF_NAME,
        ADDRESS_IN_NAME,
        AMBIGUOUS_AUTHOR,
        SEVERAL_AUTHORS,
        DISPLAY_NAME,
        ORGANIZATION,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: SenderIdentitySettings
    ) -> Verdict:
        """Judge by what the client proved: an account, a trusted server's word, or nothing."""
        found: list[Finding] = []
        if transaction.envelope.account is not None:
            if isinstance(facts.account, Unavailable):
                return Verdict(self.name, error=f"account: {facts.account.unavailable}")
            if facts.account is None:
                login = transaction.envelope.account
                found.append(Finding(UNKNOWN_ACCOUNT.code, f"no account {login!r} is registered"))
            else:
                found += _by_account(transaction, facts, facts.account, settings)
        else:
            found += _unproven(transaction, facts, settings)
        return Verdict(self.name, (*_form(transaction.message), *found))


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
    transaction: Transaction, facts: Facts, account: Account, settings: SenderIdentitySettings
) -> Iterator[Finding]:
    """Mail under a login: every address is the account's, and so is the name."""
    message, reverse_path = transaction.message, transaction.envelope.reverse_path
    claims = list(_claims(transaction, (*_AUTHORS, "Reply-To")))
    alien = []
    for where, mailbox in claims:
        if _owned(mailbox, account, settings.delimiter):
            continue
        if where == "Reply-To" and (
            settings.reply_to == "any"
            or (settings.reply_to == "district" and facts.district.owns(mailbox))
        ):
            continue
        alien.append(f"{where}: {mailbox}")
    if not reverse_path and not message.is_automatic:
        alien.append("the null reverse-path, which only automatic mail may use")
    if alien:
        more = f" and {len(alien) - _LISTED} more" if len(alien) > _LISTED else ""
        yield Finding(
            NOT_OWNER.code,
            f"the account {account.login} does not own {'; '.join(alien[:_LISTED])}{more}",
        )
    # Several authors who are all the account's own are one person with several addresses.
    yield from _names_of_account(message, facts, account)


def _names_of_account(message: Message, facts: Facts, account: Account) -> Iterator[Finding]:
    # A device or a generic account has no owner: there is nobody's name to compare with.
    owner = facts.owner if facts.owner is not None and facts.owner.id == account.owner else None
    allowed = {names.skeleton(n) for n in (owner.name, *owner.other_names)} if owner else set()
    shown = [box.display_name for box in message.author.boxes if box.display_name]
    strange = [name for name in shown if names.skeleton(name) not in allowed]
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
    claims = [
        (where, mailbox, address.domain_of(mailbox))
        for where, mailbox in _claims(transaction, _AUTHORS)
    ]
    if not vouched:
        own = [f"{w}: {mailbox}" for w, mailbox, d in claims if district.owns_domain(d)]
        if own:
            yield Finding(
                CLAIMS_DISTRICT.code,
                f"the client did not log in, yet the message claims {'; '.join(own[:_LISTED])}",
            )
    likenesses = {names.domain_skeleton(domain): domain for domain in district.domains}
    for where, mailbox, domain in claims:
        imitated = _imitated(domain, likenesses)
        if imitated and not district.owns_domain(domain):
            yield Finding(
                LOOKALIKE_DOMAIN.code,
                f"{where}: {mailbox} looks like an address at {imitated}, and is none",
            )
            break
    yield from _names_outside(transaction, facts, settings, vouched)
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


def _names_outside(
    transaction: Transaction, facts: Facts, settings: SenderIdentitySettings, vouched: bool
) -> Iterator[Finding]:
    district, author = facts.district, transaction.message.author
    written = {address.normalise(mailbox) for mailbox in author.addresses}
    if vouched and written and all(district.owns(mailbox) for mailbox in written):
        return  # the trusted server vouches for names as it does for addresses
    exempt = written == {address.normalise(transaction.envelope.reverse_path)} and written <= {
        address.normalise(mailbox) for mailbox in settings.may_use_staff_names
    }
    # Whether the address is theirs does not matter where nobody proved to have sent from it.
    if facts.namesakes and not exempt:
        person = facts.namesakes[0]
        shown = ", ".join(sorted(written)[:_LISTED]) or "(none)"
        theirs = vouched and all(mailbox in person.addresses for mailbox in written)
        if not theirs:
            truth = "is not theirs" if not written & set(person.addresses) else "is not proven"
            yield Finding(
                STAFF_NAME.code,
                f"the display name is that of {_person(person)}; the address {shown} {truth}",
            )
    for box in author.boxes:
        inner = _address_shown(box.display_name)
        if inner and inner != address.normalise(box.address):
            domain = address.domain_of(inner)
            if district.owns_domain(domain) or _imitated(
                domain, {names.domain_skeleton(d): d for d in district.domains}
            ):
                yield Finding(
                    ADDRESS_IN_NAME.code,
                    f"the display name shows {inner}; the address is {box.address}",
                )
                break


def _claims(transaction: Transaction, fields: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every address the message says it comes from, with where it says so; each once."""
    message, seen = transaction.message, set()
    reverse_path = transaction.envelope.reverse_path
    if reverse_path:
        yield "reverse-path", address.normalise(reverse_path)
    for name in fields:
        if message.fields(name):
            found = message.author if name == "From" else message.mailboxes(name)
            for written in found.addresses:
                claim = (name, address.normalise(written))
                if claim not in seen:
                    seen.add(claim)
                    yield claim


def _owned(mailbox: str, account: Account, delimiter: str) -> bool:
    if mailbox in account.addresses:
        return True
    local, at, domain = mailbox.rpartition("@")
    if delimiter and delimiter in local:
        return f"{local.partition(delimiter)[0]}{at}{domain}" in account.addresses
    return False


def _imitated(domain: str, likenesses: dict[str, str]) -> str:
    """The district's domain that this one looks like, itself or a parent of it."""
    rest = names.domain_skeleton(domain)
    while rest:
        if rest in likenesses:
            return likenesses[rest]
        rest = rest.partition(".")[2]
    return ""


def _address_shown(display_name: str) -> str:
    """The first thing in a display name that a reader would take for an address."""
    for word in display_name[:500].replace("＠", "@").split():
        local, at, domain = word.strip("<>()[]{}\"',;:").rpartition("@")
        if at and local and "." in domain:
            return address.normalise(f"{local}@{domain}")
    return ""


def _person(person: Person) -> str:
    return f"{person.name}, {person.title}" if person.title else person.name
