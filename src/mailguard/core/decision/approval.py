"""Who has to agree before a held message goes: as a finding declares it, or policy says (R18, R20).

Owns the offices that may be named, and the one spelling in which policy and records have them. Must
not know who holds an office, or how anybody is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailguard.core.people.rights import ROLES

SITE_ADMINISTRATION = "site_administration"  # of the sender's site or department (R18)
TECHNOLOGY = "technology"  # the Technology Services Director (R18, R20)
SUPERVISOR = "supervisor"  # the sender's manager (R25)
OFFICES: Mapping[str, str] = {
    SITE_ADMINISTRATION: "the administration of the sender's site or department",
    TECHNOLOGY: "Technology Services",
    SUPERVISOR: "the sender's supervisor",
}
"""What may be named besides the directory's roles, with what it is in a sentence."""
PERSON, OUTSIDE = "person:", "outside:"  # before an id of the directory
BOTH = "both"
_JOINED = frozenset("|~")  # between the offices of a stored name, and before its number
_MOST = 20  # approvers that one finding may name


@dataclass(frozen=True, slots=True)
class ApprovalBy:
    """One yes that is needed, by anybody who holds one of these offices.

    Each office is written with its substitutes: the first of them that anybody holds who may
    approve this message. Those that are `apart` want different people (R20)."""

    anybody: tuple[tuple[str, ...], ...]
    apart: bool = False
    rules: tuple[str, ...] = ()  # empty means the finding's
    name: str = ""  # as it is stored with an approval; empty means the offices'

    @property
    def offices(self) -> tuple[str, ...]:
        """Those that are asked first."""
        return tuple(chain[0] for chain in self.anybody)

    @property
    def every_office(self) -> frozenset[str]:
        """Those and their substitutes."""
        return frozenset(office for chain in self.anybody for office in chain)

    @property
    def stored_name(self) -> str:
        return self.name or "|".join(self.offices)


def anybody_of(*offices: str) -> tuple[ApprovalBy, ...]:
    """The yes of one person who holds any of these: `anybody_of("human_resources")`."""
    return (ApprovalBy(tuple((office,) for office in offices)),)


def each_of(*offices: str) -> tuple[ApprovalBy, ...]:
    """The yes of each, by different people."""
    return tuple(ApprovalBy(((office,),), apart=True) for office in offices)


SITE_OR_TECHNOLOGY = (
    ApprovalBy(
        ((SITE_ADMINISTRATION, SUPERVISOR), (TECHNOLOGY,)),
        rules=("R18",),
        name="either",
    ),
)
"""What R18 asks for, and everything whose finding says nothing else."""


def written(wanted: Sequence[ApprovalBy]) -> Any:
    """What policy says of a finding, as it is written there: a list of offices, one of which is
    enough, or `{both: […]}`."""
    if wanted and wanted[0].apart:
        return {BOTH: [office for one in wanted for office in one.offices]}
    return [office for one in wanted for office in one.offices]


def read(value: Any) -> tuple[ApprovalBy, ...]:
    """The same read back. Raises ValueError where the form is another one; whether the offices are
    known is `is_office`'s."""
    pair = isinstance(value, Mapping) and set(value) == {BOTH}
    offices = value[BOTH] if pair else value
    if not isinstance(offices, (list, tuple)) or not all(isinstance(o, str) for o in offices):
        raise ValueError("a list of approvers, or both: with a list of two")
    if pair and len(offices) != 2:
        raise ValueError("two approvers under both:")
    if not 0 < len(offices) <= _MOST or (not pair and len({*offices}) < len(offices)):
        raise ValueError(f"1 to {_MOST} approvers, each once")
    return each_of(*offices) if pair else anybody_of(*offices)


def is_office(name: str) -> bool:
    """Whether a name has the form of an office; of a person or an address outside, whether it names
    one at all. What stored names are made with stands in none (`stored_name`, ADR 0017)."""
    if not _JOINED.isdisjoint(name):
        return False
    named = name.startswith((PERSON, OUTSIDE)) and not name.endswith(":")
    return named or name in OFFICES or name in ROLES
