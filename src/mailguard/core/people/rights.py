"""Who may write to which group, and why: rights derived from people, sites and roles (R14-R19),
and from bargaining units (R24).

Owns the roles that a directory may give and the derivation in words. Pure.
Must not know policy, messages or where the directory came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailguard.core.people.model import Group, Person, Site, Unit


@dataclass(frozen=True, slots=True)
class DistrictRole:
    """A role as the rules name it."""

    label: str  # as it stands in a sentence: "the Superintendent"
    rules: tuple[str, ...]


ROLES: Mapping[str, DistrictRole] = {
    "superintendent": DistrictRole("the Superintendent", ("R14", "R15", "R19")),
    "associate_superintendent": DistrictRole("an Associate Superintendent", ("R14", "R15", "R19")),
    "assistant_superintendent": DistrictRole("an Assistant Superintendent", ("R15", "R19")),
    "superintendent_assistant": DistrictRole(
        "the Superintendent's administrative assistant", ("R14", "R15", "R19")
    ),
    "authorised_by_superintendent": DistrictRole("someone the Superintendent authorised", ("R14",)),
    "principal": DistrictRole("a principal", ("R14", "R18", "R19")),
    "site_secretary": DistrictRole("a site secretary", ("R14",)),
    "department_director": DistrictRole("a department director", ("R18", "R19")),
    "cfo": DistrictRole("the CFO", ("R15", "R19")),
    "chief_communications_officer": DistrictRole(
        "the Chief Communications Officer", ("R15", "R19")
    ),
    "executive_director_it": DistrictRole("the Executive Director of IT", ("R16", "R19")),
    "it_designee": DistrictRole("the Executive Director of IT's designee", ("R16",)),
    "technology_services_director": DistrictRole(
        "the Technology Services Director", ("R18", "R19")
    ),
    "human_resources": DistrictRole("Human Resources", ("R43",)),
}

# R14's and R15's lists, in the policy's order. They are exclusive and differ on purpose: an
# Assistant Superintendent may write to the whole district and, read literally, to no one school.
_ANY_SITE = (
    "superintendent",
    "associate_superintendent",
    "superintendent_assistant",
    "authorised_by_superintendent",
)
_DISTRICT = (
    "superintendent",
    "associate_superintendent",
    "assistant_superintendent",
    "cfo",
    "chief_communications_officer",
    "superintendent_assistant",
)
_TECHNOLOGY = ("executive_director_it", "it_designee")  # R16
_ADMINISTRATORS = frozenset(key for key, role in ROLES.items() if "R19" in role.rules)

_REASON_TAG = "Add the reason tag: an imminent technology issue, or the Superintendent's direction."


class By(StrEnum):
    """What a right comes from."""

    NOTHING = ""  # there is none
    LISTED = "listed"  # a sender of the group
    OFFICE = "office"  # R14's and R15's lists
    TECHNOLOGY = "technology"  # R16, with its reason
    OPEN = "open"  # the group takes mail from everybody
    OWNER = "owner"
    ALIGNED = "aligned"  # R17: by place and work, or as a member
    ADMINISTRATION = "administration"  # R19
    UNIT = "unit"  # R24


@dataclass(frozen=True, slots=True)
class Right:
    """Whether somebody may write to a group, and the steps that led there, in words."""

    allowed: bool
    derivation: tuple[str, ...]  # sentences, the deciding one last
    rules: tuple[str, ...]
    advice: str = ""  # what would make it pass, a sentence; empty where it is allowed
    by: By = By.NOTHING


def may_write(
    owner: Person | None,
    supported: tuple[Person, ...],
    group: Group,
    sites: Mapping[str, Site],
    *,
    inside: bool,
    sender_address: str,
    reason_tag: bool = False,
    way: tuple[str, ...] = (),
    units: tuple[Unit, ...] = (),
) -> Right:
    """Whether a sender may write to a group (R14-R17, R19, R24).

    `owner` is who sends, None for devices, generic accounts and strangers; `supported` the
    administrators that person assists; `sites` at least those of the owner and the group;
    `inside` whether the message comes from one of the district's accounts or servers;
    `reason_tag` whether the message bears R16's tag; `way` how the owner is a member: the names
    of the groups from this one down to the one that has the owner; `units` the bargaining units
    for which the sender is proven to write.
    """
    unit = next((u for u in units if group.address in u.groups), None)
    if unit is not None:
        said = f"{_who(owner, sender_address)} writes for {unit.name}, which may write to"
        rule = f" Its rule of physical mail: {unit.rule}" if unit.rule else ""
        return Right(True, (f"{said} {group.name}.{rule}",), ("R24",), by=By.UNIT)
    if not inside:
        return _outside(group)
    if _named(owner, sender_address, group):
        return Right(
            True,
            (f"{_who(owner, sender_address)} is listed as a sender of {group.name}.",),
            ("R18",),
            by=By.LISTED,
        )
    if group.audience == "district":
        return _to_district(owner, sender_address, group, reason_tag)
    if group.audience == "site":
        return _to_site(owner, sender_address, group, sites, reason_tag)
    return _to_custom(owner, supported, sender_address, group, sites, way)


def is_administrator(person: Person, sites: Mapping[str, Site]) -> bool:
    """Whether a person administers a site or department, by role or by a site's list (R19)."""
    return bool(_ADMINISTRATORS.intersection(person.roles)) or any(
        person.id in site.administrators for site in sites.values()
    )


def _outside(group: Group) -> Right:
    said = f"{group.name} is a group of the district and the message comes from outside."
    if group.outside and group.audience == "custom":
        opened = "The group is open to senders outside the district."
        return Right(True, (said, opened), ("R17",), by=By.OPEN)
    return Right(
        False,
        (said, "The group does not take mail from outside the district."),
        (_audience_rule(group),),
        "Write to the person you want to reach, or to the school's office, instead of the group.",
    )


def _to_district(owner: Person | None, address: str, group: Group, reason_tag: bool) -> Right:
    said = f"{group.name} reaches all employees of the district."
    role = _first(owner, _DISTRICT)
    if role:
        why = f"{_who(owner, address)} is {_label(role)}."
        return Right(True, (said, why), ("R15",), by=By.OFFICE)
    technology = _technology(owner, address, said, reason_tag)
    if technology is not None:
        return technology
    return Right(
        False,
        (said, f"Only {_listed(_DISTRICT)} may write to it.", _holds(owner, address)),
        ("R15",),
        "Ask one of them to send it.",
    )


def _to_site(
    owner: Person | None, address: str, group: Group, sites: Mapping[str, Site], reason_tag: bool
) -> Right:
    names = _site_names(group.sites, sites)
    said = f"{group.name} reaches all employees at {names}."
    role = _first(owner, _ANY_SITE)
    if role:
        why = f"{_who(owner, address)} is {_label(role)}."
        return Right(True, (said, why), ("R14",), by=By.OFFICE)
    if owner is not None and group.sites:
        if all(_heads(owner, site, sites) for site in group.sites):
            head = "the principal" if "principal" in owner.roles else "the director"
            why = f"{owner.name} is {head} of {names}."
            return Right(True, (said, why), ("R14",), by=By.OFFICE)
        if "site_secretary" in owner.roles and set(group.sites) <= set(owner.sites):
            why = f"{owner.name} is the site secretary of {names}."
            return Right(True, (said, why), ("R14",), by=By.OFFICE)
    technology = _technology(owner, address, said, reason_tag)
    if technology is not None:
        return technology
    head = "director" if _department(group, sites) else "principal"
    return Right(
        False,
        (
            said,
            f"Only the {head} and the site secretary of {names}, {_listed(_ANY_SITE)} may write "
            "to it.",
            _holds(owner, address),
        ),
        ("R14",),
        f"Ask the {head} or the site secretary of {names} to send it, or ask for the "
        "Superintendent's authorisation.",
    )


def _technology(owner: Person | None, address: str, said: str, reason_tag: bool) -> Right | None:
    """R16's answer for those it names; None for everybody else."""
    role = _first(owner, _TECHNOLOGY)
    if not role:
        return None
    named = f"{_who(owner, address)} is {_label(role)}"
    if reason_tag:
        why = f"{named}, and the message gives its reason."
        return Right(True, (said, why), ("R16",), by=By.TECHNOLOGY)
    return Right(
        False,
        (
            said,
            f"{named}, who may write to all employees for an imminent technology issue or by "
            "direction of the Superintendent, and the message does not say which.",
        ),
        ("R16",),
        _REASON_TAG,
    )


def _to_custom(
    owner: Person | None,
    supported: tuple[Person, ...],
    address: str,
    group: Group,
    sites: Mapping[str, Site],
    way: tuple[str, ...],
) -> Right:
    if group.outside:  # open to the whole world, so to the district as well
        return Right(True, (f"{group.name} is open to every sender.",), ("R17",), by=By.OPEN)
    if owner is None:
        return Right(
            False,
            (
                f"{address or 'The sender'} belongs to no person of the directory, so nothing "
                f"aligns it with {group.name}.",
            ),
            ("R17",),
            f"Ask Technology Services to list this address as a sender of {group.name}.",
        )
    if owner.id == group.owner:
        why = f"{owner.name} is the owner of {group.name}."
        return Right(True, (why,), ("R17",), by=By.OWNER)
    aligned, derivation = _alignment(owner, group, sites, way)
    if aligned:
        return Right(True, derivation, ("R17",), by=By.ALIGNED)
    if is_administrator(owner, sites):
        return Right(
            True,
            (
                *derivation,
                f"{owner.name} administers a site or department, and so may write to groups "
                "beyond it.",
            ),
            ("R17", "R19"),
            by=By.ADMINISTRATION,
        )
    assisted = next((p for p in supported if is_administrator(p, sites)), None)
    if assisted is not None:
        return Right(
            True,
            (
                *derivation,
                f"{owner.name} assists {assisted.name}, who administers a site or department, "
                "and so may write to groups beyond it.",
            ),
            ("R17", "R19"),
            by=By.ADMINISTRATION,
        )
    return Right(
        False,
        derivation,
        ("R17", "R18"),
        "Ask your principal or director, or the Technology Services Director, for written "
        "approval beforehand.",
    )


def _alignment(
    owner: Person, group: Group, sites: Mapping[str, Site], way: tuple[str, ...]
) -> tuple[bool, tuple[str, ...]]:
    """R17: the group's sites and its classifications must both fit, each where it has any. Who is
    a member is aligned with the group in any case."""
    fits, said = _fits(owner, group, sites)
    if fits:
        return True, said
    if way or owner.id in group.members:
        through = f" through {', which is in '.join(reversed(way[1:]))}" if way[1:] else ""
        return True, (f"{owner.name} is a member of {group.name}{through}.",)
    return False, said or (f"{owner.name} is not a member of {group.name}.",)


def _fits(owner: Person, group: Group, sites: Mapping[str, Site]) -> tuple[bool, tuple[str, ...]]:
    said = []
    aligned = bool(group.sites or group.classifications)
    if group.sites:
        shared = tuple(site for site in group.sites if site in owner.sites)
        theirs = _site_names(shared or owner.sites, sites) or "no site"
        wanted = _site_names(group.sites, sites)
        said.append(f"{group.name} is for {wanted}; {owner.name} works at {theirs}.")
        aligned = bool(shared)
    if group.classifications:
        fitting = tuple(c for c in group.classifications if c in owner.classifications)
        held = ", ".join(fitting or owner.classifications) or "none"
        said.append(
            f"{group.name} is for the classification {' or '.join(group.classifications)}; "
            f"{owner.name}'s is {held}."
        )
        aligned = aligned and bool(fitting)
    return aligned, tuple(said)


def _named(owner: Person | None, address: str, group: Group) -> bool:
    own = {address.lower()} if address else set()
    if owner is not None:
        own |= {owner.id, *owner.addresses}
    return not own.isdisjoint(group.senders)


def _heads(person: Person, site_id: str, sites: Mapping[str, Site]) -> bool:
    """Principal of that school, or director of that department.

    A site that lists its administrators is theirs alone: a principal who also teaches
    elsewhere is not the principal there.
    """
    site = sites.get(site_id)
    role = "department_director" if site and site.kind == "department" else "principal"
    if role not in person.roles:
        return False
    if site is not None and site.administrators:
        return person.id in site.administrators
    return site_id in person.sites


def _department(group: Group, sites: Mapping[str, Site]) -> bool:
    return any(sites[s].kind == "department" for s in group.sites if s in sites)


def _first(owner: Person | None, roles: tuple[str, ...]) -> str:
    return next((role for role in roles if owner is not None and role in owner.roles), "")


def _label(role: str) -> str:
    return ROLES[role].label


def _listed(roles: tuple[str, ...]) -> str:
    labels = [_label(role) for role in roles]
    return f"{', '.join(labels[:-1])} and {labels[-1]}"


def _who(owner: Person | None, address: str) -> str:
    return owner.name if owner is not None else address


def _holds(owner: Person | None, address: str) -> str:
    if owner is None:
        return f"{address or 'The sender'} belongs to no person of the directory."
    labels = [_label(role) for role in owner.roles if role in ROLES]
    described = " and ".join(labels) or owner.title or "none of these"
    return f"{owner.name} is {described}."


def _site_names(ids: tuple[str, ...], sites: Mapping[str, Site]) -> str:
    return " and ".join(sites[i].name if i in sites else i for i in ids)


def _audience_rule(group: Group) -> str:
    return {"site": "R14", "district": "R15"}.get(group.audience, "R17")
