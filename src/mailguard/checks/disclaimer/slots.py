"""The slots of disclaimers and signatures, and what the directory puts into them (R10).

Owns the slots' names and values. Must not know templates' words or where they go.
"""

from __future__ import annotations

import re
import string

from mailguard.core.decision.facts import Facts

SLOTS = frozenset(("title", "site", "school", "name", "phone", "email", "district"))
_SCHOOL = re.compile(r"\bschool\b", re.IGNORECASE)


def slots_of(template: str) -> frozenset[str]:
    """The names of a template's slots, with what else stands in their braces.

    Raises ValueError on unbalanced braces.
    """
    return frozenset(
        f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
        for _, name, form, conversion in string.Formatter().parse(template)
        if name is not None
    )


def checked(template: str) -> str:
    """The template, if all its slots exist. Raises ValueError."""
    unknown = slots_of(template) - SLOTS
    if unknown:
        raise ValueError(f"no such slot: {', '.join(sorted(unknown))}")
    return template


def values_of(facts: Facts, sites: tuple[str, ...] = ()) -> dict[str, str]:
    """What the directory says of the author; "" where it says nothing."""
    owner = facts.owner
    site = None
    if owner:
        wanted = [s for s in owner.sites if not sites or s in sites]
        known = [facts.sites[s] for s in wanted if s in facts.sites]
        # With several sites the first school stands in the text, else the first site.
        site = next((s for s in known if s.kind == "school"), known[0] if known else None)
    return {
        "title": owner.title if owner else "",
        "site": site.name if site else "",
        "school": school_name(site.name) if site and site.kind == "school" else "",
        "name": owner.name if owner else "",
        "phone": owner.phone if owner else "",
        "email": owner.addresses[0] if owner and owner.addresses else "",
        "district": facts.district.name,
    }


def school_name(name: str) -> str:
    """A school's name with one "School" in it: V4 writes "(name of school) School"."""
    return name if _SCHOOL.search(name) else f"{name} School"
