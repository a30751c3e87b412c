"""Group rights as tables: who, to which group, and by which rule."""

from __future__ import annotations

import pytest

from mailguard.core.people.model import Group, Person, Site
from mailguard.core.people.rights import ROLES, Right, may_write

SITES = {
    "oak": Site("oak", "Oak School", administrators=("oak-principal",)),
    "elm": Site("elm", "Elm School"),
    "central": Site("central", "Central Office", "department", ("director",)),
}
ALL_STAFF = Group("all-staff@example.org", "All Staff", "district")
ALL_OAK = Group("all-oak@example.org", "All of Oak", "site", ("oak",))
ALL_ELM = Group("all-elm@example.org", "All of Elm", "site", ("elm",))
ALL_CENTRAL = Group("all-central@example.org", "All of Central", "site", ("central",))
TEACHERS_OAK = Group(
    "teachers-oak@example.org", "Oak Teachers", sites=("oak",), classifications=("teacher",)
)
OAK_NEWS = Group("oak-news@example.org", "Oak News", sites=("oak",))
CUSTODIANS = Group("custodians@example.org", "Custodians", classifications=("custodian",))
CHESS = Group("chess@example.org", "Chess", members=("member",), owner="chess-owner")


def person(
    id: str = "somebody",
    *roles: str,
    sites: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
) -> Person:
    return Person(
        id, id.title(), (f"{id}@example.org",), sites=sites, classifications=classes, roles=roles
    )


def right(
    who: Person | None,
    group: Group,
    *supported: Person,
    inside: bool = True,
    address: str = "",
    tag: bool = False,
) -> Right:
    address = address or (who.addresses[0] if who else "")
    return may_write(
        who, supported, group, SITES, inside=inside, sender_address=address, reason_tag=tag
    )


@pytest.mark.parametrize("role", sorted(ROLES))
def test_district_list_is_exact(role: str) -> None:
    allowed = right(person("x", role, sites=("central",)), ALL_STAFF)
    assert allowed.allowed == (
        role
        in {
            "superintendent",
            "associate_superintendent",
            "assistant_superintendent",
            "cfo",
            "chief_communications_officer",
            "superintendent_assistant",
        }
    )
    assert allowed.rules == (
        ("R16",) if role in ("executive_director_it", "it_designee") else ("R15",)
    )


@pytest.mark.parametrize("role", sorted(ROLES))
def test_school_list_is_exact_for_people_elsewhere(role: str) -> None:
    assert right(person("x", role, sites=("elm",)), ALL_OAK).allowed == (
        role
        in {
            "superintendent",
            "associate_superintendent",
            "superintendent_assistant",
            "authorised_by_superintendent",
        }
    )


@pytest.mark.parametrize(
    ("who", "group", "allowed"),
    [
        (person("oak-principal", "principal", sites=("oak",)), ALL_OAK, True),
        # a principal who also works at Oak, whose principal is somebody else
        (person("other", "principal", sites=("oak", "elm")), ALL_OAK, False),
        # Elm lists no administrators, so the role and the place decide
        (person("other", "principal", sites=("elm",)), ALL_ELM, True),
        (person("oak-principal", "principal", sites=("oak",)), ALL_ELM, False),
        # named as administrator, but no principal: R14 does not list assistant principals
        (person("oak-principal", sites=("oak",)), ALL_OAK, False),
        (person("s", "site_secretary", sites=("oak",)), ALL_OAK, True),
        (person("s", "site_secretary", sites=("elm",)), ALL_OAK, False),
        (person("t", sites=("oak",), classes=("teacher",)), ALL_OAK, False),
        (person("director", "department_director", sites=("central",)), ALL_CENTRAL, True),
        (person("d2", "department_director", sites=("central",)), ALL_CENTRAL, False),
        (person("p", "principal", sites=("central",)), ALL_CENTRAL, False),
    ],
)
def test_school_staff_of_that_school_alone(who: Person, group: Group, allowed: bool) -> None:
    answer = right(who, group)
    assert answer.allowed is allowed
    assert answer.rules == ("R14",)
    assert bool(answer.advice) is not allowed


def test_site_group_of_two_sites_needs_both() -> None:
    both = Group("both@example.org", "Both", "site", ("oak", "elm"))
    assert not right(person("oak-principal", "principal", sites=("oak",)), both).allowed
    assert right(person("oak-principal", "principal", sites=("oak", "elm")), both).allowed


def test_site_group_without_a_site_is_nobodys() -> None:
    broken = Group("broken@example.org", "Broken", "site")
    assert not right(person("p", "principal", "site_secretary", sites=("oak",)), broken).allowed


@pytest.mark.parametrize("role", ["executive_director_it", "it_designee"])
@pytest.mark.parametrize("group", [ALL_STAFF, ALL_OAK])
def test_technology_needs_a_reason_tag(role: str, group: Group) -> None:
    who = person("it", role, sites=("central",))
    without, tagged = right(who, group), right(who, group, tag=True)
    assert (without.allowed, tagged.allowed) == (False, True)
    assert without.rules == tagged.rules == ("R16",)
    assert "reason tag" in without.advice


def test_reason_tag_gives_nobody_else_a_right() -> None:
    who = person("t", "principal", sites=("oak",))
    assert not right(who, ALL_STAFF, tag=True).allowed


@pytest.mark.parametrize(
    ("sites", "classes", "group", "allowed"),
    [
        (("oak",), ("teacher",), TEACHERS_OAK, True),
        (("elm", "oak"), ("nurse", "teacher"), TEACHERS_OAK, True),
        (("elm",), ("teacher",), TEACHERS_OAK, False),
        (("oak",), ("custodian",), TEACHERS_OAK, False),
        ((), (), TEACHERS_OAK, False),
        (("oak",), (), OAK_NEWS, True),
        (("elm",), (), OAK_NEWS, False),
        (("elm",), ("custodian",), CUSTODIANS, True),
        (("elm",), ("teacher",), CUSTODIANS, False),
        (("oak",), ("teacher",), CHESS, False),
    ],
)
def test_alignment(
    sites: tuple[str, ...], classes: tuple[str, ...], group: Group, allowed: bool
) -> None:
    answer = right(person("t", sites=sites, classes=classes), group)
    assert answer.allowed is allowed
    assert answer.rules == (("R17",) if allowed else ("R17", "R18"))


def test_group_of_members_takes_members_and_owner() -> None:
    assert right(person("member"), CHESS).allowed
    assert right(person("chess-owner"), CHESS).allowed


def test_administrators_and_their_support_write_beyond_their_site() -> None:
    principal = person("p", "principal", sites=("elm",))
    listed = person("director", sites=("central",))  # by Site.administrators, without a role
    assistant = person("a", sites=("elm",))
    assert right(principal, TEACHERS_OAK).rules == ("R17", "R19")
    assert right(listed, TEACHERS_OAK).allowed
    assert right(assistant, TEACHERS_OAK, principal).allowed
    assert not right(assistant, TEACHERS_OAK).allowed
    assert not right(assistant, TEACHERS_OAK, person("colleague")).allowed


def test_r19_does_not_open_all_staff_groups() -> None:
    principal = person("p", "principal", sites=("elm",))
    assert not right(principal, ALL_OAK).allowed
    assert not right(principal, ALL_STAFF).allowed
    assert not right(person("a"), ALL_STAFF, person("s", "superintendent")).allowed


def test_explicit_senders_by_person_and_by_address() -> None:
    for senders in (("t",), ("t@example.org",)):
        group = Group("g@example.org", "G", "district", senders=senders)
        assert right(person("t"), group).allowed
    device = Group("g@example.org", "G", senders=("printer@example.org",))
    assert right(None, device, address="Printer@example.org").allowed
    assert not right(None, device, address="other@example.org").allowed
    assert not right(None, device, address="").allowed


def test_outside_needs_an_open_group_even_for_a_staff_address() -> None:
    superintendent = person("s", "superintendent")
    open_group = Group("g@example.org", "G", outside=True)
    assert not right(superintendent, ALL_STAFF, inside=False).allowed
    assert not right(superintendent, TEACHERS_OAK, inside=False).allowed
    assert right(None, open_group, inside=False, address="parent@example.com").allowed
    assert right(person("t"), open_group).allowed
    named = Group("g@example.org", "G", senders=("parent@example.com",))
    assert not right(None, named, inside=False, address="parent@example.com").allowed
    never = Group("g@example.org", "G", "district", outside=True)
    assert not right(None, never, inside=False).allowed


def test_derivation_speaks_of_names() -> None:
    refused = right(person("jane", sites=("elm",), classes=("teacher",)), TEACHERS_OAK)
    assert refused.derivation == (
        "Oak Teachers is for Oak School; Jane works at Elm School.",
        "Oak Teachers is for the classification teacher; Jane's is teacher.",
    )
    assert "principal or director" in refused.advice
