"""The logins of the district and who may send for whom: `accounts.csv`, `delegations.csv`.

Owns their columns and what makes a row wrong by itself (R1, R3, R5). Must not know policy, nor how
people and sites are written.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from mailguard.config.directory.draft import Draft, Where, cell
from mailguard.config.form.csv_tables import read_table, several
from mailguard.config.form.forms import Section
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.model import Account, Delegation

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class AccountRow(Section):
    """A login: a row of `accounts.csv`."""

    login: str = Field(min_length=1, description="What AUTH names.")
    addresses: tuple[str, ...] = Field(
        (), description="What it may send as; its owner's addresses where empty."
    )
    owner: str = Field(
        "", description="Person id; empty for devices and generic accounts (R1, R5)."
    )
    kind: Literal["", "device", "generic"] = Field(
        "",
        description="Without an owner: `device` for a printer or an application, `generic` for an "
        "account that several people use (R5).",
    )
    requester: str = Field("", description="Person id of who asked for a generic account (R5).")
    purpose: str = Field("", description="What a generic account is for (R5).")
    allowed: tuple[str, ...] = Field(
        (), description="Ids of the people who may use a generic account (R5)."
    )
    clients: tuple[str, ...] = Field(
        (),
        description="Single IP addresses from which a device speaks without a login, on "
        "`submission` and `relay` listeners. No networks (R1).",
    )
    certificates: tuple[str, ...] = Field(
        (), description="SHA-256 fingerprints of the TLS certificates a device shows (R1)."
    )


class DelegationRow(Section):
    """A written request to send for somebody (R3): a row of `delegations.csv`."""

    delegate: str = Field(min_length=1, description="Person id of who sends.")
    principal: str = Field(min_length=1, description="Person id of whom they send for.")
    document: str = Field(min_length=1, description="Where the written request is kept.")
    granted: date = Field(description="First day, as in 2026-08-01.")
    expires: date = Field(description="Last day, in the district's time zone.")
    renewer: str = Field("", description="Person id of who renews it; the principal where empty.")


ACCOUNT_COLUMNS = {n: f.is_required() for n, f in AccountRow.model_fields.items()}
DELEGATION_COLUMNS = {n: f.is_required() for n, f in DelegationRow.model_fields.items()}


def read_accounts(draft: Draft, folder: Path) -> None:
    """Read `accounts.csv` where it is."""
    if not (folder / "accounts.csv").exists():
        return
    rows = read_table(folder / "accounts.csv", ACCOUNT_COLUMNS)
    draft.take(rows)
    holders: dict[str, str] = {}  # client address or certificate -> login
    for line, cells in rows.records:
        login = cells.get("login", "").lower()
        where = cell(rows, line, login)
        if not login:
            draft.errors.append(where("login", "is missing", "what AUTH names"))
            continue
        if login in draft.accounts:
            draft.errors.append(where("login", f"{quoted(login)} comes twice", "each login once"))
            continue
        owner = cells.get("owner", "") or None
        mailboxes = draft.mailboxes(several(cells.get("addresses", "")), where)
        person = draft.people.get(owner) if owner else None
        if not mailboxes and person is not None:
            mailboxes = person.addresses
        if not mailboxes and owner is None:
            problem = "is missing: an account without an owner sends as nobody"
            draft.errors.append(where("addresses", problem, "at least one address, or an owner"))
        draft.accounts[login] = Account(
            login,
            mailboxes,
            owner,
            kind=cells.get("kind", ""),
            requester=cells.get("requester", ""),
            purpose=cells.get("purpose", ""),
            allowed=several(cells.get("allowed", "")),
            clients=_clients(draft, several(cells.get("clients", "")), where),
            certificates=_certificates(draft, several(cells.get("certificates", "")), where),
        )
        draft.where["account", login] = where
        _kind(draft, draft.accounts[login], where)
        _alone(draft, draft.accounts[login], holders, where)


def _kind(draft: Draft, account: Account, where: Where) -> None:
    """A generic account has a requester, a purpose and named users (R5)."""
    if account.kind not in ("", "device", "generic"):
        problem = f"{quoted(account.kind)} does not fit here"
        draft.errors.append(where("kind", problem, "device, generic"))
    elif account.owner and account.kind:
        problem = "an account with an owner is that person's"
        draft.errors.append(where("kind", problem, "empty, or no owner"))
    elif not account.owner and not account.kind:
        problem = "is missing: what is an account without an owner? (R5)"
        draft.errors.append(where("kind", problem, "device, generic"))
    if account.kind == "generic":
        for column, value in (
            ("requester", account.requester),
            ("purpose", account.purpose),
            ("allowed", account.allowed),
        ):
            if not value:
                problem = "is missing for a generic account (R5)"
                draft.errors.append(where(column, problem, "requester, purpose and allowed"))
    if account.kind != "device":
        for column in ("clients", "certificates"):
            if getattr(account, column):
                problem = "only a device speaks without a login"
                draft.errors.append(where(column, problem, "kind device"))


def _clients(draft: Draft, texts: tuple[str, ...], where: Where) -> tuple[str, ...]:
    """Single addresses in their usual form (`frontends` names clients alike)."""
    found = []
    for text in texts:
        problem, allowed = "", "single addresses, as in 192.0.2.7"
        if "/" in text or "-" in text or "*" in text:
            problem = (
                f"{quoted(text)} is a range: two tenants behind one address must not speak for "
                "each other"
            )
        else:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                problem = f"{quoted(text)} is no IP address"
            else:
                mapped = getattr(address, "ipv4_mapped", None)
                if getattr(address, "scope_id", None) or address.is_unspecified:
                    problem = f"{quoted(text)} names no single machine"
                found.append(str(mapped or address))
        if problem:
            draft.errors.append(where("clients", problem, allowed))
    return tuple(found)


def _certificates(draft: Draft, texts: tuple[str, ...], where: Where) -> tuple[str, ...]:
    found = []
    for text in texts:
        plain = text.replace(":", "").lower()
        if _FINGERPRINT.fullmatch(plain):
            found.append(plain)
        else:
            problem = f"{quoted(text)} is no SHA-256 fingerprint"
            draft.errors.append(where("certificates", problem, "64 hexadecimal digits"))
    return tuple(found)


def _alone(draft: Draft, account: Account, holders: dict[str, str], where: Where) -> None:
    """A client address, and a certificate, is one account's."""
    for column in ("clients", "certificates"):
        for value in getattr(account, column):
            other = holders.setdefault(value, account.login)
            if other != account.login:
                problem = (
                    f"{quoted(value)} belongs to {other} already: two tenants behind one address "
                    "must not speak for each other"
                )
                draft.errors.append(where(column, problem, "each for one account"))


def read_delegations(draft: Draft, folder: Path) -> None:
    """Read `delegations.csv` where it is."""
    if not (folder / "delegations.csv").exists():
        return
    rows = read_table(folder / "delegations.csv", DELEGATION_COLUMNS)
    draft.take(rows)
    seen: set[tuple[str, str, str]] = set()
    for line, cells in rows.records:
        delegate, principal = cells.get("delegate", ""), cells.get("principal", "")
        document = cells.get("document", "")
        where = cell(rows, line, delegate)
        for column, allowed in (
            ("delegate", "a person's id"),
            ("principal", "a person's id"),
            ("document", "where the written request is kept (R3)"),
            ("granted", "a date, as in 2026-08-01"),
            ("expires", "a date, as in 2027-06-30"),
        ):
            if column not in cells:
                draft.errors.append(where(column, "is missing", allowed))
        granted = draft.day(cells.get("granted", ""), "granted", where)
        expires = draft.day(cells.get("expires", ""), "expires", where)
        if delegate and delegate == principal:
            problem = f"{quoted(delegate)} needs no grant to send as themselves"
            draft.errors.append(where("principal", problem, "somebody else"))
        if (delegate, principal, document) in seen:
            problem = f"{quoted(document)} is there already for these two"
            draft.errors.append(where("document", problem, "each document once"))
        seen.add((delegate, principal, document))
        if granted is None or expires is None:
            continue
        if expires < granted:
            problem = f"{expires} is before {granted}"
            draft.errors.append(where("expires", problem, "a day after it was granted"))
        grant = Delegation(
            delegate, principal, document, granted, expires, cells.get("renewer", "") or principal
        )
        draft.where["delegation", str(len(draft.delegations))] = where
        draft.delegations.append(grant)


def check_accounts(draft: Draft) -> None:
    """Every person that an account or a delegation names must be there."""
    people = draft.people
    for account in draft.accounts.values():
        where = draft.where["account", account.login]
        draft.known(where, "owner", (account.owner,) if account.owner else (), people)
        draft.known(where, "requester", (account.requester,) if account.requester else (), people)
        draft.known(where, "allowed", account.allowed, people)
    for number, grant in enumerate(draft.delegations):
        where = draft.where["delegation", str(number)]
        for column in ("delegate", "principal", "renewer"):
            named = getattr(grant, column)
            if named and not (column == "renewer" and named == grant.principal):
                draft.known(where, column, (named,), people)
