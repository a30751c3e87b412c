"""A district of 2,000 people and the 20,000 outside who write to it, made up from a seed.

Owns how often names occur: a few are common, most are rare, as in life. Every person is fictional.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.people.model import Person, Site

SEED = 20_261_125
STAFF, OUTSIDE = 2_000, 20_000

DISTRICT = District(
    name="Ash Valley Unified School District",
    short_name="AVUSD",
    domains=("ashvalley.test",),
    spammail="spammail@ashvalley.test",
    postmaster="postmaster@ashvalley.test",
    authserv_id="mx.ashvalley.test",
)
PARTNERS = ("reedcounty.test", "fieldpayroll.test")

# The commonest first; their share falls with the rank.
_FIRST = """
James Mary Michael Jennifer Robert Linda John Elizabeth David Patricia William Barbara Richard
Susan Joseph Jessica Thomas Sarah Christopher Karen Daniel Nancy Matthew Lisa Anthony Margaret Mark
Sandra Steven Ashley Andrew Kimberly Paul Emily Joshua Donna Kenneth Michelle Kevin Carol Brian
Amanda George Melissa Timothy Deborah Ronald Stephanie Jason Rebecca Edward Laura Jeffrey Sharon
Ryan Cynthia Jacob Kathleen Gary Amy Nicholas Angela Eric Shirley Jonathan Anna Stephen Brenda
Larry Pamela Justin Emma Scott Nicole Brandon Helen Benjamin Samantha Samuel Katherine Gregory
Christine Alexander Debra Patrick Rachel Frank Carolyn Raymond Janet Jack Maria Dennis Olivia Jerry
Heather Tyler Julie Aaron Joyce Jose Victoria Adam Ruth Nathan Virginia Henry Lauren Zachary Kelly
Douglas Christina Peter Joan Kyle Evelyn Noah Judith Ethan Andrea Jeremy Hannah Christian Cheryl
Keith Jacqueline Austin Martha Roger Madison Terry Teresa Sean Gloria Gerald Sara Carl Janice
Dylan Ann Harold Kathryn Jordan Abigail Jesse Sophia Bryan Frances Lawrence Jean Arthur Alice
Gabriel Judy Bruce Isabella Logan Julia Billy Grace Joe Denise Alan Amber Juan Doris
"""
_LAST = """
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez
Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark
Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams
Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker
Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper
Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James
Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster
"""
_HEADS = (
    "Al Bar Ber Bran Cal Car Col Dal Den Dor Ed Fal Far Gar Gil Hal Har Hol Jar Kel Ken Lan Lin "
    "Mal Mar Mel Mor Nor Os Pal Par Quin Ran Ros Sal Sel Tal Tor Van Wal Wes Win Wol Yar Zel"
)
_TAILS = (
    "bach berg bert bury by combe cott dale den dine er feld field ford gate ham hart ington ley "
    "lock low man mark mere mont more ner over rick shaw sen son stad stein sted ton vale wald "
    "well wick wood worth"
)
_FIRST_TAILS = "a ah an ara elle en ena ia ian ila in ine io is ita o on ona or us yn"

_SCHOOLS = "Alder Birch Cedar Dogwood Elm Fir Hazel Juniper Larch Maple Oak Poplar"
SITES = tuple(
    f"{tree} {kind} School"
    for tree in _SCHOOLS.split()
    for kind in ("Elementary", "Middle", "High")
)
_OFFICES = (
    ("Superintendent", "superintendent"),
    ("Associate Superintendent", "associate_superintendent"),
    ("Assistant Superintendent, Elementary Education", "assistant_superintendent"),
    ("Assistant Superintendent, Secondary Education", "assistant_superintendent"),
    ("Chief Financial Officer", "cfo"),
    ("Chief Communications Officer", "chief_communications_officer"),
    ("Executive Director of Information Technology", "executive_director_it"),
    ("Technology Services Director", "technology_services_director"),
    ("Director of Human Resources", "human_resources"),
)


@dataclass(frozen=True)
class Names:
    """Names with their shares of the population."""

    first: tuple[str, ...]
    first_shares: tuple[float, ...]
    last: tuple[str, ...]
    last_shares: tuple[float, ...]
    share: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)

    def pick(self, rng: random.Random) -> tuple[str, str]:
        (first,) = rng.choices(self.first, self.first_shares)
        (last,) = rng.choices(self.last, self.last_shares)
        return first, last

    def chance(self, first: str, last: str) -> float:
        """How likely a stranger bears this name."""
        return self.first_shares[self.first.index(first)] * self.last_shares[self.last.index(last)]


def _shares(common: Sequence[str], rare: Sequence[str], top: float, fall: float) -> list[float]:
    shares = [top * (rank + 1) ** -fall for rank in range(len(common))]
    rest = (1 - sum(shares)) / len(rare)
    return shares + [rest] * len(rare)


def make_names() -> Names:
    """Half of all people have one of 160 first names; a fifth one of 105 surnames."""
    first, last = _FIRST.split(), _LAST.split()
    rare_first = sorted({h + t for h in _HEADS.split() for t in _FIRST_TAILS.split()} - set(first))
    rare_last = sorted({h + t for h in _HEADS.split() for t in _TAILS.split()} - set(last))
    return Names(
        (*first, *rare_first),
        tuple(_shares(first, rare_first, 0.016, 0.35)),
        (*last, *rare_last),
        tuple(_shares(last, rare_last, 0.0085, 0.45)),
    )


NAMES = make_names()


def make_directory() -> Directory:
    """2,000 people: the central office, a principal and a secretary a school, and teachers; one in
    ten has registered a personal address."""
    rng = random.Random(SEED)
    sites = {f"s{n}": Site(f"s{n}", name) for n, name in enumerate(SITES)}
    people = {}
    for n in range(STAFF):
        first, last = NAMES.pick(rng)
        site, title, roles = f"s{n % len(SITES)}", "Teacher", ()
        if n < len(_OFFICES):
            title, role = _OFFICES[n]
            roles = (role,)
        elif n < len(_OFFICES) + len(SITES):
            title, roles = "Principal", ("principal",)
        elif n < len(_OFFICES) + 2 * len(SITES):
            title, roles = "School Secretary", ("site_secretary",)
        mailbox = f"{first}.{last}{n}".lower()
        people[f"p{n}"] = Person(
            f"p{n}",
            f"{first} {last}",
            (f"{mailbox}@ashvalley.test",),
            title=title,
            sites=(site,),
            roles=roles,
            personal_addresses=(f"{mailbox}@mailbox.test",) if n % 10 == 0 else (),
        )
    return Directory(people, sites)


DIRECTORY = make_directory()


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message shows of its sender."""

    kind: str  # the class of sender, a row of the table
    shown: str
    mailbox: str
    reply_to: str = ""


def make_correspondents() -> list[Letter]:
    """20,000 honest senders outside."""
    rng = random.Random(SEED + 1)
    staff_surnames = [person.name.split()[-1] for person in DIRECTORY.people.values()]
    made = []
    for n in range(OUTSIDE):
        first, last = NAMES.pick(rng)
        roll = rng.random()
        if roll < 0.10:
            last = rng.choice(staff_surnames)
            made.append(_person(rng, n, "relatives: a staff surname", first, last))
        elif roll < 0.70:
            made.append(_person(rng, n, "parents and others", first, last))
        elif roll < 0.80:
            made.append(_business(rng, n, first, last))
        elif roll < 0.90:
            made.append(_newsletter(rng, n))
        elif roll < 0.94:
            shown = rng.choice((f"{first} {last} via Docs", f"{first} {last} (Forms)"))
            made.append(Letter("people through a service", shown, f"share-{n}@docs.test"))
        elif roll < 0.98:
            made.append(_school(rng, n, first, last))
        elif roll < 0.998:
            made.append(_near_us(rng, n, first, last))
        else:
            host = rng.choice(("dashvalley.test", "ash-valley.test", "ashvalleys.test"))
            made.append(Letter("firms one letter away, not yet registered", "Sales", f"x@{host}"))
    return made


def _home(rng: random.Random, n: int) -> str:
    if rng.random() < 0.6:
        return rng.choice(("gmail.com", "yahoo.com", "outlook.com", "icloud.com", "mailbox.test"))
    return f"{_place(rng)}.test"


_TREES = "ash oak elm cedar birch maple pine willow hazel rowan beech fir poplar aspen laurel"
_LANDS = "valley hill field ford brook dale vale ridge view gate wood grove glen stone"


def _place(rng: random.Random) -> str:
    tree, land = rng.choice(_TREES.split()), rng.choice(_LANDS.split())
    if (tree, land) == ("ash", "valley"):
        tree = "oak"  # whoever bears our name is a class of their own
    joint, tail = rng.choice(("", "", "", "-")), rng.choice(("", "", "co", "group", "s"))
    return f"{tree}{joint}{land}{tail}"


def _person(rng: random.Random, n: int, kind: str, first: str, last: str) -> Letter:
    (shown,) = rng.choices(
        (
            f"{first} {last}",
            f"{last}, {first}",
            f"{first} {rng.choice('ABCDEFGHJKLMRSTW')}. {last}",
            f"{first[0]}. {last}",
            f"{first} {last[0]}.",
            first,
            f"{first} and {NAMES.pick(rng)[0]} {last}",
            f"The {last} Family",
            "",
        ),
        (60, 8, 8, 5, 4, 5, 2, 1, 7),
    )
    return Letter(kind, shown, f"{first}.{last}.{n}@{_home(rng, n)}".lower())


def _business(rng: random.Random, n: int, first: str, last: str) -> Letter:
    shown = rng.choice(
        (
            f"{last} Supply",
            f"{first} {last} Photography",
            f"Law Office of {first} {last}",
            f"{first} from {last} Tools",
            f"{last} & {NAMES.pick(rng)[1]}",
            f"{first} {last}, Sales Director",
            "Chief Financial Officer Magazine",
            "Human Resources",
            "Accounts Payable",
        )
    )
    answers = f"{last.lower()}{n}@gmail.com" if rng.random() < 0.15 else ""
    return Letter("businesses", shown, f"office@{_place(rng)}.test", answers)


def _newsletter(rng: random.Random, n: int) -> Letter:
    shown = rng.choice(
        ("Classroom Weekly", "The Principal Post", "School Leader Today", "Teacher's Corner",
         "Superintendent Insider", "Reading Club", "no-reply", "Field Payroll", "Reed County")
    )  # fmt: skip
    host = {"Field Payroll": "fieldpayroll.test", "Reed County": "mail.reedcounty.test"}
    return Letter("newsletters", shown, f"news{n}@{host.get(shown, f'{_place(rng)}.test')}")


def _school(rng: random.Random, n: int, first: str, last: str) -> Letter:
    county = rng.choice(("Reed County", "Stone Creek", "Green Lake", "North Field"))
    shown = rng.choice(
        (
            f"{first} {last}, Principal",
            f"{first} {last}, Superintendent",
            f"Office of the Superintendent, {county} Schools",
            f"{county} Unified School District",
            f"Principal, {county} Elementary School",
            f"Superintendent {first} {last}",
            f"{last} - Assistant Superintendent, {county}",
        )
    )
    return Letter(
        "other schools and districts", shown, f"o{n}@{county.replace(' ', '').lower()}.test"
    )


def _near_us(rng: random.Random, n: int, first: str, last: str) -> Letter:
    shown = rng.choice(
        (
            f"Friends of {rng.choice(SITES)}",
            f"{rng.choice(SITES)} PTA",
            "Ash Valley Soccer Club",
            "Ash Valley Gazette",
            f"{first} {last}, Ash Valley Library",
        )
    )
    host = rng.choice(
        ("friends-of-ashvalley.test", "ashvalley.learning.test", "ashvalleysoccer.test",
         "ashvalleygazette.test", "ashvalleylibrary.test")
    )  # fmt: skip
    return Letter("clubs and neighbours with our name", shown, f"o{n}@{host}")


def expected_namesakes(letters: Sequence[Letter]) -> float:
    """How many of a number of strangers bear a staff member's full name by chance."""
    distinct = {tuple(person.name.split()) for person in DIRECTORY.people.values()}
    return len(letters) * sum(NAMES.chance(first, last) for first, last in distinct)
