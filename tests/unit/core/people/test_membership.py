"""Who is in a group: listed, nested, by site and classification; and on which day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from tests.support import cost

from mailguard.core.people.directory import Directory
from mailguard.core.people.membership import Membership
from mailguard.core.people.model import Group, Person

TODAY = date(2026, 11, 25)


def person(id: str, sites: str = "", classes: str = "", end: date | None = None) -> Person:
    own = tuple(sites.split()), tuple(classes.split())
    return Person(
        id, id.title(), (f"{id}@example.org",), sites=own[0], classifications=own[1], end=end
    )


def group(
    name: str, members: str = "", sites: str = "", classes: str = "", audience: str = "custom"
) -> Group:
    listed = tuple(m if len(m) > 2 else f"{m}@" for m in members.split())
    return Group(f"{name}@", name, audience, tuple(sites.split()), tuple(classes.split()), listed)


PEOPLE = (
    person("ann", "oak", "teacher"),
    person("bob", "oak elm", "teacher nurse"),
    person("cid", "elm", "nurse"),
    person("dot"),
    person("eve", "oak", "teacher", end=date(2026, 11, 24)),
    person("fay", "oak", "teacher", end=TODAY),
)
GROUPS = (
    group("g1", sites="oak", classes="teacher"),
    group("g2", sites="oak elm", classes="nurse"),
    group("g3", classes="nurse"),
    group("g4", sites="oak"),
    group("g5", "dot g1"),
    group("g6", "g5 g3"),
    group("g7", "ann", sites="elm"),  # who it is for, and who is in it, are two things
    group("g8", sites="oak", classes="nurse", audience="site"),
    group("g9", sites="oak", audience="district"),
    group("ga", "g4", audience="district"),
    group("gb"),
)
MEMBERSHIP = Membership({p.id: p for p in PEOPLE}, {g.address: g for g in GROUPS})


def members(name: str, today: date = TODAY) -> str:
    return " ".join(p.id for p in MEMBERSHIP.members(f"{name}@", today))


def test_members() -> None:
    assert members("g1") == "ann bob fay"
    assert members("g2") == "bob cid"
    assert members("g3") == "bob cid"
    assert members("g4") == "ann bob fay"
    assert members("g5") == "ann bob dot fay"
    assert members("g6") == "ann bob cid dot fay"
    assert members("g7") == "ann"
    assert members("g8") == "ann bob fay"  # all employees there, whatever they do
    assert members("g9") == "ann bob cid dot fay"
    assert members("ga") == "ann bob fay"
    assert members("gb") == ""
    assert members("unknown") == ""


def test_leavers_are_no_members_from_the_day_after_their_last() -> None:
    assert members("g1", date(2026, 11, 24)) == "ann bob eve fay"
    assert members("g1", date(2026, 11, 26)) == "ann bob"
    assert members("g1") == "ann bob fay"


def test_ways_are_the_shortest_from_the_group_down() -> None:
    ways = MEMBERSHIP.ways("bob")
    assert ways["g1@"] == ("g1@",)
    assert ways["g5@"] == ("g5@", "g1@")
    assert ways["g6@"] == ("g6@", "g3@")
    assert ways["ga@"] == ("ga@", "g4@")
    assert set(MEMBERSHIP.groups_of("dot")) == {"g5@", "g6@", "g9@"}
    assert MEMBERSHIP.ways("nobody") == {}


def test_the_ways_of_everybody_are_the_members_of_every_group() -> None:
    for one in GROUPS:
        by_person = {p.id for p in PEOPLE if one.address in MEMBERSHIP.ways(p.id)}
        assert by_person == {p.id for p in MEMBERSHIP.people(MEMBERSHIP.mask(one.address))}


def test_sets() -> None:
    both = MEMBERSHIP.mask_of(["ann", "dot", "nobody"]) | MEMBERSHIP.mask_at(["elm", "no-site"])
    assert [p.id for p in MEMBERSHIP.people(both)] == ["ann", "bob", "cid", "dot"]
    assert list(MEMBERSHIP.people(0)) == []


def test_a_long_chain_of_groups_is_no_recursion() -> None:
    chain = [Group(f"c{n}@", "C", members=(f"c{n + 1}@",)) for n in range(5_000)]
    groups = {g.address: g for g in (*chain, Group("c5000@", "C", members=("ann",)))}
    made = Membership({"ann": PEOPLE[0]}, groups)
    assert [p.id for p in made.members("c0@", TODAY)] == ["ann"]
    assert len(made.ways("ann")["c0@"]) == 5_001


def test_what_one_person_is_in_does_not_cost_more_in_a_larger_district() -> None:
    def lookups(count: int) -> Callable[[], object]:
        people = {f"p{n}": person(f"p{n}", f"s{n % 50}", "teacher") for n in range(count)}
        groups = {
            g.address: g
            for n in range(count // 10)
            for g in (Group(f"g{n}@", "G", members=(f"p{n}", f"p{n + 1}")),)
        }
        directory = Directory(people, groups=groups)
        membership = directory.membership
        asked = [f"p{n * 7 % count}" for n in range(500)]
        return lambda: [membership.ways(id) for id in asked]

    cost.assert_ratio(lookups(20_000), lookups(200), most=10)
