"""Distribution groups: `directory/groups.yaml`.

Owns its keys and what makes a group wrong: unknown members, rings, and a group inside another that
would widen who can reach all employees. Must not know rights; they are `core.people.rights`'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mailguard.config.directory.draft import Draft, Where, entries
from mailguard.config.form.forms import Section
from mailguard.core.mail import mailbox
from mailguard.core.mail.safe_text import quoted
from mailguard.core.people.model import Group


class GroupEntry(Section):
    """A distribution group: an entry of `groups.yaml` under its address."""

    name: str = Field(min_length=1, description="As people know it.")
    audience: Literal["site", "district", "custom"] = Field(
        "custom",
        description="`site`: all employees of its one site (R14). `district`: all employees "
        "(R15). `custom`: neither (R17).",
    )
    sites: tuple[str, ...] = Field(
        (), description="Ids of sites; who works at one is aligned with the group (R17)."
    )
    classifications: tuple[str, ...] = Field(
        (), description="Classifications; who has one is aligned, at one of the sites if any."
    )
    members: tuple[str, ...] = Field(
        (),
        description="Person ids and addresses of groups. Where empty, the members are computed: "
        "everybody who is aligned; for all employees those of the site or district.",
    )
    owner: str | None = Field(None, description="Person id of who looks after it.")
    senders: tuple[str, ...] = Field(
        (), description="Person ids or addresses that may write to it besides."
    )
    outside: bool = Field(False, description="Whether anybody outside may write to it.")


def read_groups(draft: Draft, folder: Path) -> None:
    """Read `groups.yaml` where it is."""
    for key, row, where in entries(folder / "groups.yaml", GroupEntry, optional=True):
        try:
            address = mailbox.mailbox(key)
        except ValueError as error:
            problem, _, allowed = str(error).partition("; allowed: ")
            draft.errors.append(where("", problem, allowed))
            continue
        if not draft.district.owns(address):
            problem = "is at none of the district's domains"
            allowed = f"an address at {', '.join(draft.district.domains)}"
            draft.errors.append(where("", problem, allowed))
        if address in draft.groups:
            draft.errors.append(where("", "comes twice, in another spelling", "each group once"))
        if row.audience == "site" and len(row.sites) != 1:
            problem = f"audience site with {len(row.sites)} sites"
            draft.errors.append(where("sites", problem, "exactly one site"))
        if row.audience != "custom" and row.outside:
            problem = f"audience {row.audience} is never open to outside senders (R14, R15)"
            draft.errors.append(where("outside", problem, "false"))
        draft.hold((address,), f"group {address}", where)
        values = dict(row) | {"members": _lowered(row.members), "senders": _lowered(row.senders)}
        draft.groups[address] = Group(address, **values)
        draft.where["group", address] = where


def _lowered(values: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses in lower case, ids as they are."""
    return tuple(value.lower() if "@" in value else value for value in values)


def check_groups(draft: Draft) -> None:
    """Every id and address that a group names must be there, and no group is its own member."""
    people, sites, groups = draft.people, draft.sites, draft.groups
    for group in groups.values():
        where = draft.where["group", group.address]
        draft.known(where, "sites", group.sites, sites)
        draft.known(where, "owner", (group.owner,) if group.owner else (), people)
        members = tuple(m for m in group.members if m not in groups)
        draft.known(where, "members", members, people)
        grants = tuple(s for s in group.senders if "@" not in s)
        draft.known(where, "senders", grants, people)
        _reach(draft, where, group)
    _cycles(draft)


def _reach(draft: Draft, where: Where, group: Group) -> None:
    """A group inside another must not widen who can reach all employees (R14, R15)."""
    order = {"custom": 0, "site": 1, "district": 2}
    for member in group.members:
        inner = draft.groups.get(member)
        if inner is not None and order[inner.audience] > order[group.audience]:
            problem = (
                f"{quoted(member)} reaches all employees of a {inner.audience}, and whoever may "
                f"write to this {group.audience} group would reach them too (R14, R15)"
            )
            draft.errors.append(where("members", problem, "people and groups of the same reach"))


def _cycles(draft: Draft) -> None:
    """No group is its own member, however far down. Each group and membership is seen once."""
    done: set[str] = set()
    for start in draft.groups:
        if start in done:
            continue
        path = {start: None}  # the way down, in order
        stack = [iter(draft.groups[start].members)]
        while stack:
            member = next(stack[-1], None)
            if member is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif member in path:
                ring = list(path)
                ring = [*ring[ring.index(member) :], member]
                where = draft.where["group", ring[-2]]
                problem = f"the groups contain each other: {' > '.join(ring[:10])}"
                draft.errors.append(where("members", problem, "groups without cycles"))
            elif member in draft.groups and member not in done:
                path[member] = None
                stack.append(iter(draft.groups[member].members))
