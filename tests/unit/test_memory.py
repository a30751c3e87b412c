"""Bounded memory: crashes, the cap on notices, client addresses."""

from __future__ import annotations

from mailguard.pipeline.memory import ClientAddresses, Crashes, NoticeAllowance


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
