"""No order, split or repetition of a message lets more of it through (R17, R25)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.rights.district import Mail, district, judged, with_settings

from mailguard.config.load import Loaded
from mailguard.core.decision.facts import Unavailable
from mailguard.core.decision.verdict import Disposition

OAK = ("paula.pine", "sam.juniper", "tara.olive", "ben.poplar", "ivan.mulberry")
OAK_ADDRESSES = tuple(f"{name}@example.org" for name in OAK)
OTHERS = ("ava.alder@example.org", "rosa.alder@example.com")
CLARA = Mail("crowan", OAK_ADDRESSES)
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return district(tmp_path_factory.mktemp("district") / "config")


def passed(loaded: Loaded, mails: list[Mail]) -> list[set[str]]:
    """The recipients that each mail was let through to."""
    numbered = [replace(mail, id=f"{n:026}") for n, mail in enumerate(mails)]
    return [set(one.plan.forwarded) for one in judged(loaded, numbered)]


@QUICK
@given(st.permutations([*OAK_ADDRESSES, *OTHERS]), st.integers(0, 7))
def test_the_order_of_recipients_changes_nothing(loaded: Loaded, order: list[str], n: int) -> None:
    chosen = tuple(order[:n]) or OTHERS
    (usual,) = passed(loaded, [replace(CLARA, to=tuple(sorted(chosen)))])
    assert passed(loaded, [replace(CLARA, to=chosen)]) == [usual]


@QUICK
@given(st.permutations(OAK_ADDRESSES), st.lists(st.integers(0, 4), max_size=4))
def test_a_message_in_pieces_never_reaches_most_of_a_group(
    loaded: Loaded, order: list[str], cuts: list[int]
) -> None:
    bounds = [0, *sorted(set(cuts)), len(order)]
    pieces = [tuple(order[a:b]) for a, b in pairwise(bounds) if a < b]
    got = passed(loaded, [replace(CLARA, to=piece, shown=piece) for piece in pieces])
    assert 100 * len(set().union(*got)) < 60 * len(OAK_ADDRESSES)


@QUICK
@given(st.permutations([f"p{n}@example.net" for n in range(8)]), st.lists(st.integers(0, 8)))
def test_a_message_in_pieces_never_reaches_more_than_the_limit(
    loaded: Loaded, order: list[str], cuts: list[int]
) -> None:
    limited = with_settings(loaded, outside=4)
    bounds = [0, *sorted(set(cuts)), len(order)]
    pieces = [tuple(order[a:b]) for a, b in pairwise(bounds) if a < b]
    mails = [replace(CLARA, to=piece, text=f"To {piece}") for piece in pieces]
    assert len(set().union(*passed(limited, mails))) <= 4


def test_pieces_count_only_within_the_window(loaded: Loaded) -> None:
    one_by_one = [replace(CLARA, to=(one,), shown=(one,)) for one in OAK_ADDRESSES]
    slowly = [replace(m, at=m.at + 1_801 * n) for n, m in enumerate(one_by_one)]
    assert [len(got) for got in passed(loaded, one_by_one)] == [1, 1, 0, 0, 0]
    assert [len(got) for got in passed(loaded, slowly)] == [1] * 5


def test_other_subjects_and_texts_are_other_messages(loaded: Loaded) -> None:
    subjects = ("Keys", "Room 4", "Your window", "Paint", "Friday")
    apart = [
        replace(CLARA, to=(one,), shown=(one,), subject=subject, text=f"Hello {one}")
        for one, subject in zip(OAK_ADDRESSES, subjects, strict=True)
    ]
    assert all(passed(loaded, apart))
    same_text = [replace(mail, text="Bake sale on Friday.") for mail in apart]
    assert [len(got) for got in passed(loaded, same_text)] == [1, 1, 0, 0, 0]
    numbered = [replace(m, subject=f"RE: Bake sale {n}!") for n, m in enumerate(apart)]
    assert [len(got) for got in passed(loaded, numbered)] == [1, 1, 0, 0, 0]


def test_a_retry_counts_once(loaded: Loaded) -> None:
    limited = with_settings(loaded, outside=2)
    mail = replace(CLARA, to=("a@example.net", "b@example.net"))
    other = replace(CLARA, to=("c@example.net",), subject="Other", text="Something else")
    assert passed(limited, [mail, mail, mail]) == [set(mail.to)] * 3
    assert passed(limited, [mail, other]) == [set(mail.to), set()]


def test_what_was_held_holds_up_nothing_else(loaded: Loaded) -> None:
    limited = with_settings(loaded, outside=2)
    big = replace(CLARA, to=tuple(f"p{n}@example.net" for n in range(9)))
    small = replace(CLARA, to=("c@example.net",), subject="Other", text="Something else")
    assert passed(limited, [big, small]) == [set(), set(small.to)]
    all_of_oak = replace(CLARA, to=OAK_ADDRESSES)
    one = replace(CLARA, to=OAK_ADDRESSES[:1], shown=())
    assert passed(loaded, [all_of_oak, one]) == [set(), set(one.to)]


def test_one_person_has_one_window_whatever_address_they_use(loaded: Loaded) -> None:
    limited = with_settings(loaded, outside=1, exempt_roles=[], exempt_administrators=False)
    first = Mail("saspen", ("a@example.net",), author="sylvia.aspen@example.org")
    second = Mail("saspen", ("b@example.net",), author="superintendent@example.org")
    assert passed(limited, [first, second]) == [{"a@example.net"}, set()]


def test_rest_of_a_group_beside_an_allowed_one(loaded: Loaded) -> None:
    """Tara may write to the Oak teachers; with most of the others by name that is all of Oak."""
    tara = Mail(
        "tolive", ("teachers-oak@example.org", *OAK_ADDRESSES[:2], "clara.rowan@example.org")
    )
    changed = with_settings(loaded, bypass_share=100, bypass_smallest=3)
    assert passed(changed, [tara]) == [{"teachers-oak@example.org"}]
    assert passed(changed, [replace(tara, to=tara.to[1:])]) == [set(tara.to[1:])]


def test_facts_do_not_carry_the_members(loaded: Loaded) -> None:
    (one,) = judged(loaded, [Mail("saspen", ("all-staff@example.org",))])
    assert one.facts.groups["all-staff@example.org"].members == ()
    assert (
        one.facts.audiences["all-staff@example.org"].size == 17
    )  # of three schools, one of them at two


def test_an_answer_that_cannot_be_looked_up_is_no_new_message(loaded: Loaded) -> None:
    class Silent:
        async def groups_reached(self, message_id: str) -> frozenset[str]:
            raise OSError("gone")

    answer = ("In-Reply-To: <first@example.org>",)
    mail = Mail("tolive", ("all-oak@example.org",), fields=answer)
    (one,) = judged(with_settings(loaded, reply_all="allow"), [mail], Silent())  # type: ignore[arg-type]
    assert isinstance(one.facts.answered, Unavailable)
    assert any(v.error and "answered" in v.error for v in one.decision.verdicts)
    assert one.decision.strongest > Disposition.FORWARD
    (usual,) = judged(loaded, [mail], Silent())  # type: ignore[arg-type]
    assert usual.facts.answered is None  # nobody asked
