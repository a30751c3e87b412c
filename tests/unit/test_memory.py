"""Bounded memory: crashes, the cap on notices, client addresses."""

from __future__ import annotations

from mailguard.pipeline.counters import (
    ClientAddresses,
    Crashes,
    NoticeAllowance,
    SentRecipients,
    Spend,
)


def test_a_message_is_given_up_after_its_third_crash_and_only_that_one() -> None:
    crashes = Crashes(allowed=3)
    assert [crashes.again(b"a") for _ in range(3)] == [False, False, True]
    assert crashes.again(b"b") is False


def test_a_sender_gets_so_many_notices_an_hour() -> None:
    allowance = NoticeAllowance(an_hour=2)
    for at in (0.0, 1.0):
        assert allowance.allows("Ann@example.org", at)
        assert allowance.take([Spend("ann@example.org", at)])
    assert not allowance.allows("ann@example.org", 2.0)
    assert allowance.allows("bob@example.org", 2.0)
    assert allowance.allows("ann@example.org", 3_601.0)


def test_client_addresses_of_one_account_within_the_hour() -> None:
    clients = ClientAddresses()
    for n in range(5):
        assert clients.see("ann", f"192.0.2.{n}", float(n)) == n + 1
    assert clients.see("ann", "192.0.2.0", 5.0) == 5  # again
    assert clients.see("bob", "192.0.2.0", 5.0) == 1
    assert clients.see("ann", "", 6.0) == 5  # not known: no address
    assert clients.see("ann", "192.0.2.9", 3_604.0) == 2  # an hour after all but 192.0.2.0
    assert clients.see("ann", "192.0.2.9", 9_999.0) == 1


def test_one_customer_has_a_whole_64() -> None:
    clients = ClientAddresses()
    assert clients.see("ann", "2001:db8:0:1::1", 0.0) == 1
    assert clients.see("ann", "2001:db8:0:1:ffff::2", 1.0) == 1
    assert clients.see("ann", "2001:db8:0:2::1", 2.0) == 2
    assert clients.see("ann", "::1", 3.0) == 3


def test_client_addresses_are_bounded() -> None:
    clients = ClientAddresses(most=3)
    seen = [clients.see("ann", f"192.0.2.{n}", float(n)) for n in range(200)]
    assert max(seen) == 3
    for n in range(10_000):
        clients.see(f"account{n}", "192.0.2.1", 200.0)
    assert clients.see("ann", "192.0.2.1", 200.0) == 1  # forgotten


def test_recipients_are_counted_by_account_hour_and_day() -> None:
    sent = SentRecipients()
    assert sent.see("ann", b"first", ["a@x.test", "b@x.test"], 0.0) == (2, 2)
    assert sent.see("ann", b"second", ["a@x.test"], 10.0) == (3, 3)
    assert sent.see("bob", b"first", ["a@x.test"], 10.0) == (1, 1)
    assert sent.see("ann", b"third", ["c@x.test"], 3_605.0) == (2, 4)  # the first is an hour ago
    assert sent.see("ann", b"fourth", ["c@x.test"], 86_405.0) == (1, 3)  # and now a day


def test_a_message_that_comes_back_counts_once() -> None:
    sent = SentRecipients()
    for at in (0.0, 60.0, 4_000.0):
        hour, day = sent.see("ann", b"same", ["a@x.test", "b@x.test"], at)
        assert day == 2
    assert hour == 0
    assert sent.see("ann", b"same", ["b@x.test", "c@x.test"], 4_001.0) == (1, 3)


def test_counted_recipients_are_bounded() -> None:
    sent = SentRecipients(most=100, in_all=250)
    many = [f"{n}@x.test" for n in range(1_000)]
    assert sent.see("ann", b"m", many, 0.0) == (100, 100)
    assert sent.see("bob", b"m", many, 0.0) == (100, 100)
    assert sent.see("cat", b"m", many, 0.0) == (100, 100)  # 300: the account idle longest goes
    assert sent.see("ann", b"n", ["a@x.test"], 1.0) == (1, 1)
    assert sent.see("cat", b"n", ["a@x.test"], 100_000.0) == (1, 1)  # full, and then forgotten
