"""Domains that a reader takes for another one (R1).

Owns the likenesses: letters that look alike, a letter more, less, changed or swapped, another
ending, and a name put into somebody else's domain. Linear in a bounded domain name.
Must not know whose the domains are, or what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mailguard.core.links.public_suffix import registrable
from mailguard.core.people import edit_distance, names
from mailguard.core.people.edit_distance import within_one

_SHORTEST = 6  # letters of a label from which nearness tells anything
_SHORTEST_ELSEWHERE = 8  # the same, where the ending differs as well
_LONGEST, _LONGEST_LABEL = 255, 63  # RFC 1035 2.3.4
# What is put beside a name to make people log in: "example-login", "secure-example".
_BAIT = (
    "login logon signin sso secure security portal mail email webmail support helpdesk help admin "
    "account accounts verify payroll hr staff it office update service services online my"
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """A likeness found: to which domain, and by what, in words."""

    domain: str
    how: str


@dataclass(frozen=True, slots=True)
class _Imitable:
    domain: str  # as configured, "example.org"
    written: str  # what people remember of it: "example"
    label: str  # the same, folded
    ending: str  # "org"

    @property
    def plain(self) -> str:
        return self.written.replace("-", "")


def fold(label: str) -> str:
    """A label as the eye reads it, hyphens left out."""
    return names.domain_skeleton(label).replace("cl", "d").replace("-", "")


class Lookalikes:
    """The likenesses of some domains, indexed. Domains in lower case."""

    def __init__(self, domains: tuple[str, ...], *, other_endings: bool = True) -> None:
        self._domains = frozenset(domains)
        self._other_endings = other_endings
        self._whole = {names.domain_skeleton(domain): domain for domain in domains}
        self._by_label: dict[str, list[_Imitable]] = {}
        self._near: dict[str, list[_Imitable]] = {}
        for domain in domains:
            # "students.example.org" is remembered by "example"; below a suffix all counts.
            label, _, ending = (registrable(domain) or domain).partition(".")
            one = _Imitable(domain, label, fold(label), ending)
            self._by_label.setdefault(one.label, []).append(one)
            if len(one.label) >= _SHORTEST:
                for key in {*edit_distance.keys(one.label), *edit_distance.keys(one.plain)}:
                    self._near.setdefault(key, []).append(one)

        # Most mail comes from a few domains; bounded in number, and in length by `like`.
        self._seen = lru_cache(maxsize=4096)(self._compared)

    def like(self, domain: str) -> Likeness | None:
        """The domain that this one may be taken for, unless it is one of them or below one."""
        if not domain or len(domain) > _LONGEST:
            return None
        return self._seen(domain.lower().rstrip("."))

    def _compared(self, domain: str) -> Likeness | None:
        if self.holds(domain):
            return None
        return self._letters(domain) or self._embedded(domain) or self._label(domain)

    def holds(self, domain: str) -> bool:
        """Whether this is one of the domains, or below one."""
        while domain:
            if domain in self._domains:
                return True
            domain = domain.partition(".")[2]
        return False

    def _letters(self, domain: str) -> Likeness | None:
        rest = names.domain_skeleton(domain)
        while rest:
            if rest in self._whole:
                return Likeness(self._whole[rest], "its letters look like those")
            rest = rest.partition(".")[2]
        return None

    def _embedded(self, domain: str) -> Likeness | None:
        """ "example.org.evil.test" and "login-example-org.test"."""
        dotted = f".{names.domain_skeleton(domain)}."
        dashed = f"-{dotted.strip('.').replace('.', '-')}-"
        for skeleton, own in self._whole.items():
            if f".{skeleton}." in dotted or f"-{skeleton.replace('.', '-')}-" in dashed:
                return Likeness(own, f"it holds the name {own} within another domain")
        return None

    def _label(self, domain: str) -> Likeness | None:
        site = registrable(domain)
        label, _, ending = site.partition(".")
        if not label or len(label) > _LONGEST_LABEL:
            return None
        folded = fold(label)
        for one in self._by_label.get(folded, ()):
            if one.ending == ending:
                return Likeness(one.domain, "its letters look like those")
            if len(folded) >= _SHORTEST and (self._other_endings or label != one.written):
                return Likeness(one.domain, f"it differs by its ending .{ending}")
        for one in (*self._neighbours(folded), *self._neighbours(label.replace("-", ""))):
            if one.ending == ending or len(one.label) >= _SHORTEST_ELSEWHERE:
                return Likeness(one.domain, "it differs by one letter")
        return self._with_bait(label, folded)

    def _neighbours(self, folded: str) -> Iterator[_Imitable]:
        if len(folded) >= _SHORTEST - 1:
            for key in edit_distance.keys(folded):
                for one in self._near.get(key, ()):
                    if within_one(one.label, folded) or within_one(one.plain, folded):
                        yield one

    def _with_bait(self, label: str, folded: str) -> Likeness | None:
        """ "example-login.test" and "secureexample.test"; not "friends-of-example.test"."""
        words = [fold(word) for word in label.split("-")]
        for one in (i for group in self._by_label.values() for i in group):
            if len(one.label) < _SHORTEST or one.label not in folded:
                continue
            head, _, tail = folded.partition(one.label)
            beside = {head, tail, *(word for word in words if word != one.label)} - {""}
            if beside & _FOLDED_BAIT:
                return Likeness(one.domain, "it puts a word beside that name")
            if tail == fold(one.ending) and not head:
                return Likeness(one.domain, f"it holds the name {one.domain} in another domain")
        return None


_FOLDED_BAIT = frozenset(fold(word) for word in _BAIT.split())


@lru_cache(maxsize=64)
def lookalikes(domains: tuple[str, ...], other_endings: bool) -> Lookalikes:
    """The index of these domains, made once."""
    return Lookalikes(domains, other_endings=other_endings)
