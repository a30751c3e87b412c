"""`mailguard groups`: who is in which group, and who may write to whom (R14-R19, R24)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailguard.cli.loading import load_or_exit
from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import ConfigOption, JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.core.people.directory import Directory
    from mailguard.core.people.model import Group, Person, Site, Unit
    from mailguard.core.people.rights import Right
    from mailguard.pipeline.snapshot import Snapshot

NOT_ALLOWED = 3
"""The exit code of `can` for "no"; 1 and 2 are wrong usage and wrong configuration, as always."""

commands = typer.Typer(
    name="groups", help="Distribution groups: members, and who may write.", no_args_is_help=True
)
_Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's address.")]
_Sender = Annotated[
    str, typer.Argument(metavar="SENDER", help="A person's id, an address or a login.")
]
_Tag = Annotated[
    bool, typer.Option("--tag", help="As if the subject began with the reason tag (R16).")
]
_On = Annotated[str, typer.Option("--on", help="A day, as in 2027-06-30; today where empty.")]


@dataclass(frozen=True)
class _Asked:
    """A sender as it would be once proven."""

    name: str
    address: str
    owner: Person | None
    inside: bool
    units: tuple[Unit, ...] = ()
    supported: tuple[Person, ...] = ()
    ways: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)  # theirs, and those they administer

    @classmethod
    def person(cls, person: Person, directory: Directory) -> _Asked:
        supported = directory.named(person.supports)
        ids = {*person.sites, *(s for p in supported for s in directory.administered_by(p.id))}
        ids |= set(directory.administered_by(person.id))
        return cls(
            person.name,
            person.addresses[0],
            person,
            True,
            directory.units_of((person.id, *person.addresses)),
            supported,
            directory.membership.ways(person.id),
            {i: directory.sites[i] for i in sorted(ids)},
        )

    def right(self, group: Group, directory: Directory, *, tag: bool) -> Right:
        from mailguard.core.people.rights import may_write

        way = tuple(directory.groups[a].name for a in self.ways.get(group.address, ()))
        return may_write(
            self.owner,
            self.supported,
            group,
            {**self.sites, **{s: directory.sites[s] for s in group.sites}},
            inside=self.inside,
            sender_address=self.address,
            reason_tag=tag,
            way=way,
            units=self.units,
        )


@commands.command("can")
def can(
    sender: _Sender,
    group: _Group,
    tag: _Tag = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Whether somebody may write to a group, and why. Exit 0 for yes, 3 for no.

    The sender is taken as proven: what a From field says gives nobody a right. Announcements need
    approvals besides (R20).

        mailguard groups can tolive custodians@example.org
    """
    snapshot = load_or_exit(config).snapshot
    who, to = _sender(sender, snapshot), _group(group, snapshot.directory)
    right = who.right(to, snapshot.directory, tag=tag)
    if as_json:
        print_json({"sender": who.address, "group": to.address, **_told(right)})
    else:
        typer.echo("yes" if right.allowed else "no")
        said = (*right.derivation, right.advice, f"Rules: {', '.join(right.rules)}.")
        typer.echo("".join(f"  {terminal(line)}\n" for line in said if line), nl=False)
    if not right.allowed:
        raise typer.Exit(NOT_ALLOWED)


@commands.command("who")
def who_may(
    group: _Group,
    on: _On = "",
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Everybody who may write to a group, with the reason."""
    snapshot = load_or_exit(config).snapshot
    directory, today = snapshot.directory, _day(on, snapshot)
    to = _group(group, directory)
    rows = [
        {"sender": who.address, "name": who.name, **_told(right)}
        for who, right in _all_senders(to, directory, today)
    ]
    if to.outside and to.audience == "custom":
        everybody = {"sender": "*", "name": "everybody", "allowed": True}
        rows.append(everybody | {"why": ["It is open to every sender."], "rules": ["R17"]})
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Who may write to {to.name} ({to.address})",
        ("Name", "Address", "Why", "Rules"),
        [(r["name"], r["sender"], r["why"][-1], ", ".join(r["rules"])) for r in rows],
    )


@commands.command("for")
def for_sender(
    sender: _Sender,
    tag: _Tag = False,
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Every group that somebody may write to, with the reason."""
    snapshot = load_or_exit(config).snapshot
    directory, today = snapshot.directory, _day("", snapshot)
    who, membership = _sender(sender, snapshot), snapshot.directory.membership
    present = membership.present(today)
    rows: list[dict[str, Any]] = []
    for group in directory.groups.values():
        right = who.right(group, directory, tag=tag)
        if right.allowed:
            size = (membership.mask(group.address) & present).bit_count()
            rows.append(
                {"group": group.address, "name": group.name, "people": size, **_told(right)}
            )
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Groups that {who.name} may write to",
        ("Group", "Address", "People", "Why", "Rules"),
        [(r["name"], r["group"], r["people"], r["why"][-1], ", ".join(r["rules"])) for r in rows],
    )


@commands.command("members")
def members(
    group: _Group,
    on: _On = "",
    config: ConfigOption = Path("config"),
    as_json: JsonOption = False,
) -> None:
    """Everybody in a group on a day, with the group inside it through which they are; who has left
    by then is not."""
    snapshot = load_or_exit(config).snapshot
    directory = snapshot.directory
    to, today = _group(group, directory), _day(on, snapshot)
    rows = [
        {
            "person": person.id,
            "name": person.name,
            "address": person.addresses[0],
            "sites": list(person.sites),
            "through": list(directory.membership.ways(person.id)[to.address][1:]),
        }
        for person in directory.membership.members(to.address, today)
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{to.name} ({to.address}) on {today}: {len(rows)}",
        ("Name", "Address", "Sites", "Through"),
        [(r["name"], r["address"], ", ".join(r["sites"]), " > ".join(r["through"])) for r in rows],
    )


def _all_senders(group: Group, directory: Directory, today: date) -> Iterator[tuple[_Asked, Right]]:
    """People who are there on the day, then addresses that no person has."""
    for person in directory.people.values():
        if person.left_since(today) is None:
            who = _Asked.person(person, directory)
            right = who.right(group, directory, tag=True)
            if right.allowed:
                yield who, right
    units = (u for u in directory.units.values() if group.address in u.groups)
    listed = (*group.senders, *(s for unit in units for s in unit.senders))
    for address in dict.fromkeys(s for s in listed if "@" in s):
        if directory.person_at(address) is None:
            who = _Asked(address, address, None, True, directory.units_of((address,)))
            yield who, who.right(group, directory, tag=True)


def _sender(text: str, snapshot: Snapshot) -> _Asked:
    from mailguard.core.mail.address import normalise

    directory = snapshot.directory
    account = directory.account_for(text)
    person = directory.people.get(text) or directory.person_at(text)
    if person is None and account is not None and account.owner:
        person = directory.people.get(account.owner)
    if person is not None:
        return _Asked.person(person, directory)
    mailbox = account.addresses[0] if account is not None else normalise(text)
    owned = {a for one in directory.accounts.values() if not one.owner for a in one.addresses}
    if mailbox in owned:
        return _Asked(mailbox, mailbox, None, True, directory.units_of((mailbox,)))
    if "@" not in text or snapshot.district.owns(mailbox):
        fail(f"{text!r} is nobody's; allowed: a person's id, an address or a login")
    return _Asked(mailbox, mailbox, None, False, directory.units_of((mailbox,)))


def _group(text: str, directory: Directory) -> Group:
    group = directory.group_at(text)
    if group is None:
        fail(f"{text!r} is no group; allowed: an address of directory/groups.yaml")
    return group


def _day(text: str, snapshot: Snapshot) -> date:
    from mailguard.core.sender.directory_lookups import day_at

    try:
        return (
            date.fromisoformat(text) if text else day_at(time.time(), snapshot.district.time_zone)
        )
    except ValueError:
        fail(f"--on {text!r} is no date; allowed: year-month-day, as in 2027-06-30")


def _told(right: Right) -> dict[str, Any]:
    told = {"allowed": right.allowed, "why": list(right.derivation), "rules": list(right.rules)}
    return told | ({"advice": right.advice} if right.advice else {})
