"""Who is in which group, and by which way: listed, in a group inside it, or by site and
classification (R17).

Owns the expansion of groups. What is asked of one person or one group costs what the answer is
long, however large the district. A set of people is a mask: bit n stands for the person at place n
of the directory, so that a union or a count of 100,000 people takes microseconds.
Must not know rights, mail or files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailguard.core.people.model import Group, Person

_KEPT = 512  # masks of groups; each an eighth of an octet for each person
_Place = tuple[str, str]  # a site and a classification; "" is any


def is_computed(group: Group) -> bool:
    """Whether its members follow from audience, sites and classifications, since none is listed."""
    named = group.sites or group.classifications or group.audience == "district"
    return bool(named) and not group.members


class Membership:
    """The members of a directory's groups. Groups must not contain each other in a ring."""

    def __init__(self, people: Mapping[str, Person], groups: Mapping[str, Group]) -> None:
        self._people = people
        self._groups = groups
        self._ids = tuple(people)
        self._place = {id: n for n, id in enumerate(self._ids)}
        self._at: dict[_Place, list[int]] = {}
        self._dated: list[int] = []  # those who begin or end one day
        for n, person in enumerate(people.values()):
            for key in _places_of(person.sites, person.classifications):
                self._at.setdefault(key, []).append(n)
            if person.start is not None or person.end is not None:
                self._dated.append(n)
        self._listing: dict[str, list[str]] = {}  # a member, person or group, to the groups
        self._computed: dict[_Place, list[str]] = {}
        for address, group in groups.items():
            for member in group.members:
                self._listing.setdefault(member, []).append(address)
            if is_computed(group):
                for key in _criteria(group):
                    self._computed.setdefault(key, []).append(address)
        self._masks: OrderedDict[str, int] = OrderedDict()
        self._site_masks: dict[str, int] = {}
        self._present: tuple[date, int] | None = None

    # One person

    def ways(self, id: str) -> dict[str, tuple[str, ...]]:
        """Every group that this person is in, each with the shortest way: the addresses from that
        group down to the one that has the person itself."""
        person = self._people.get(id)
        if person is None:
            return {}
        own = self._listing.get(id, ())
        computed = (
            address
            for key in (("", ""), *_places_of(person.sites, person.classifications))
            for address in self._computed.get(key, ())
        )
        found: dict[str, tuple[str, ...]] = {a: (a,) for a in (*own, *computed)}
        ways = list(found)
        for address in ways:  # grows while it is walked
            for above in self._listing.get(address, ()):
                if above not in found:
                    found[above] = (above, *found[address])
                    ways.append(above)
        return found

    def groups_of(self, id: str) -> tuple[str, ...]:
        """The addresses of every group that this person is in, by any way."""
        return tuple(self.ways(id))

    # Sets of people

    def mask(self, address: str) -> int:
        """Everybody in a group, by any way, whether there on a given day or not."""
        known = self._masks.get(address)
        if known is not None:
            self._masks.move_to_end(address)
            return known
        bits = bytearray(len(self._ids) // 8 + 1)
        made = 0
        for inside in self._inside(address):
            group = self._groups[inside]
            _set(bits, (self._place[m] for m in group.members if m in self._place))
            if not is_computed(group):
                continue
            for key in _criteria(group):
                if key == ("", ""):
                    made = (1 << len(self._ids)) - 1
                _set(bits, self._at.get(key, ()))
        made |= int.from_bytes(bits, "little")
        self._masks[address] = made
        if len(self._masks) > _KEPT:
            self._masks.popitem(last=False)
        return made

    def mask_of(self, ids: Iterable[str]) -> int:
        """These people; unknown ids are nobody."""
        bits = bytearray(len(self._ids) // 8 + 1)
        _set(bits, (self._place[id] for id in ids if id in self._place))
        return int.from_bytes(bits, "little")

    def mask_at(self, sites: Iterable[str]) -> int:
        """Everybody who works at one of these sites."""
        made = 0
        for site in sites:
            if site not in self._site_masks:
                bits = bytearray(len(self._ids) // 8 + 1)
                _set(bits, self._at.get((site, ""), ()))
                self._site_masks[site] = int.from_bytes(bits, "little")
            made |= self._site_masks[site]
        return made

    def present(self, today: date) -> int:
        """Everybody who has not left by that day (R6)."""
        if self._present is None or self._present[0] != today:
            people = tuple(self._people.values()) if self._dated else ()
            bits = bytearray(len(self._ids) // 8 + 1)
            _set(bits, (n for n in self._dated if people[n].left_since(today) is not None))
            everybody = (1 << len(self._ids)) - 1
            self._present = (today, everybody & ~int.from_bytes(bits, "little"))
        return self._present[1]

    def people(self, mask: int) -> Iterator[Person]:
        """The people of a set, in the directory's order."""
        for at, octet in enumerate(mask.to_bytes(mask.bit_length() // 8 + 1, "little")):
            while octet:
                low = octet & -octet
                yield self._people[self._ids[8 * at + low.bit_length() - 1]]
                octet ^= low

    def members(self, address: str, today: date) -> tuple[Person, ...]:
        """Everybody in a group on a day, in the directory's order."""
        return tuple(self.people(self.mask(address) & self.present(today)))

    def _inside(self, address: str) -> list[str]:
        """The group and every group inside it, each once."""
        found = {address: None} if address in self._groups else {}
        order = list(found)
        for one in order:  # grows while it is walked
            for member in self._groups[one].members:
                if member in self._groups and member not in found:
                    found[member] = None
                    order.append(member)
        return order


def _places_of(sites: tuple[str, ...], classifications: tuple[str, ...]) -> list[_Place]:
    """Every key under which a computed group takes a person, but for "everybody"."""
    keys = list(product(("", *dict.fromkeys(sites)), ("", *dict.fromkeys(classifications))))
    return keys[1:]


def _criteria(group: Group) -> Iterator[_Place]:
    """The keys of the people in a computed group. All employees are all employees: what else the
    group names does not make them fewer."""
    if group.audience == "district":
        return iter([("", "")])
    classifications = () if group.audience == "site" else group.classifications
    return product(dict.fromkeys(group.sites) or ("",), dict.fromkeys(classifications) or ("",))


def _set(bits: bytearray, places: Iterable[int]) -> None:
    for n in places:
        bits[n >> 3] |= 1 << (n & 7)
