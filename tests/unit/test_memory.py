"""Bounded memory: crashes and the cap on notices."""

from __future__ import annotations

from mailguard.pipeline.memory import Crashes, NoticeAllowance


def test_a_message_is_given_up_after_its_third_crash_and_only_that_one() -> None:
    crashes = Crashes(allowed=3)
    assert [crashes.again(b"a") for _ in range(3)] == [False, False, True]
    assert crashes.again(b"b") is False


def test_a_sender_gets_so_many_notices_an_hour() -> None:
    allowance = NoticeAllowance(an_hour=2)
    for at in (0.0, 1.0):
        assert allowance.allows("Ann@example.org", at)
        allowance.spend("ann@example.org", at)
    assert not allowance.allows("ann@example.org", 2.0)
    assert allowance.allows("bob@example.org", 2.0)
    assert allowance.allows("ann@example.org", 3_601.0)
