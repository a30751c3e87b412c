"""ARC beyond the suite: Ed25519, limits, keys that do not come, forged chains, our own sets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arc_vectors import KEYS, NOW, OURS, RAW, RESULTS, THEIRS, chain

from mailguard.core.authentication.arc import verify as verify_arc
from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.dkim_canonical import canonical
from mailguard.core.authentication.dns_answers import Answer, NxDomain
from mailguard.core.decision.facts import Arc, Unavailable
from mailguard.core.mail import mime


def checked(raw: bytes, keys: dict[str, Answer] = KEYS) -> Arc:
    found = verify_arc(canonical(raw), keys, NOW)
    assert isinstance(found, Arc)
    return found


def test_a_chain_of_two_sealers_and_two_algorithms_passes() -> None:
    found = checked(chain(2))
    assert (found.cv, found.reason) == ("pass", "")
    assert [(s.domain, s.selector) for s in found.sets] == [
        ("lists.example.net", "e1"),
        ("example.org", "a1"),
    ]
    assert found.sets[0].results == RESULTS.decode()


def test_an_edit_after_the_last_seal_fails_and_one_before_it_does_not() -> None:
    sealed = chain(1)
    edited = sealed.replace(b"The bus", b"[link removed] The bus")
    assert checked(edited).cv == "fail"
    again = seal(edited, b"mx.example.org; arc=pass", "pass", OURS, NOW) + edited
    assert checked(again).cv == "pass"


def test_fifty_sets_and_no_more() -> None:
    whole = chain(50)
    assert checked(whole).cv == "pass"
    assert seal(whole, RESULTS, "pass", OURS, NOW) == b""
    forged = b"ARC-Seal: i=51; a=rsa-sha256; cv=pass; d=example.org; s=a1; b=AAAA\r\n" + whole
    assert checked(forged).cv == "fail"


def test_a_failed_chain_is_sealed_once_and_ends() -> None:
    broken = chain(2).replace(b"The bus", b"A car")
    assert checked(broken).cv == "fail"
    sealed = seal(broken, b"mx.example.org; arc=fail", "fail", OURS, NOW) + broken
    found = checked(sealed)
    assert (found.cv, "sealed the chain as failed" in found.reason) == ("fail", True)
    assert seal(sealed, b"mx.example.org; arc=fail", "fail", OURS, NOW) == b""


def test_no_set_is_added_whose_status_is_not_the_chains() -> None:
    assert seal(RAW, RESULTS, "pass", OURS, NOW) == b""
    assert seal(RAW, RESULTS, "fail", OURS, NOW) == b""
    assert seal(chain(1), RESULTS, "none", OURS, NOW) == b""


def test_a_field_of_ours_taken_for_another_message_fails() -> None:
    sealed = chain(1)
    sets = sealed[: sealed.index(b"From:")]
    assert checked(sets + RAW.replace(b"jane@", b"ceo@")).cv == "fail"
    assert checked(b"From: ceo@example.test\r\n" + sealed).cv == "fail"
    assert checked(b"Subject: urgent\r\n" + sealed).cv == "fail"


@pytest.mark.parametrize("kind", [b"ARC-Seal", b"ARC-Message-Signature"])
def test_a_missing_or_doubled_field_fails(kind: bytes) -> None:
    sealed = chain(2)
    assert checked(sealed.replace(kind + b":", b"X-Was:", 1)).cv == "fail"
    line = sealed[sealed.index(kind) : sealed.index(b"\r\nARC", sealed.index(kind)) + 2]
    assert checked(line + sealed).cv == "fail"


def test_a_key_without_an_answer_is_unavailable_and_no_key_a_failure() -> None:
    name = "e1._domainkey.lists.example.net"
    found = verify_arc(canonical(chain(2)), {**KEYS, name: Unavailable("DNS time-out")}, NOW)
    assert isinstance(found, Unavailable)
    assert checked(chain(2), {**KEYS, name: NxDomain()}).cv == "fail"


def test_bare_line_ends_fail() -> None:
    assert checked(chain(1).replace(b"8.\r\n", b"8.\n")).cv == "fail"


def test_what_was_sealed_cannot_open_a_second_line() -> None:
    raw = chain(1, RAW)
    assert raw.count(b"\r\nARC-Authentication-Results:") == 1
    assert [item.name for item in mime.parse(raw).root.fields if "ARC" in item.name] == [
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]),
            st.lists(
                st.sampled_from(
                    [b"i=1", b"i=2", b"i=", b"i=0x1", b"cv=none", b"cv=pass", b"a=rsa-sha256",
                     b"d=example.org", b"s=a1", b"b=AAAA", b"bh=AAAA", b"h=from", b"\xff", b"t=-1"]
                ),
                max_size=9,
            ),
        ),
        min_size=1,
        max_size=8,
    )
)  # fmt: skip
def test_nothing_raises_and_nothing_passes(found: list[tuple[bytes, list[bytes]]]) -> None:
    fields = b"".join(name + b": " + b"; ".join(tags) + b"\r\n" for name, tags in found)
    assert checked(fields + RAW).cv == "fail"
    assert checked(fields + chain(1)).cv == "fail"
    seal(fields + RAW, RESULTS, "fail", THEIRS, NOW)
