"""Addresses in configuration have the form under which messages' addresses are looked up."""

from __future__ import annotations

import pytest

from mailguard.core.mail import address
from mailguard.core.mail.mailbox import domain
from mailguard.core.mail.mailbox import mailbox as one_mailbox
from mailguard.core.people.district import District


@pytest.mark.parametrize("written", ["Jane@Bücher.test", "jane@xn--bcher-kva.test"])
def test_a_mailbox_is_kept_as_it_is_looked_up(written: str) -> None:
    kept = one_mailbox(written)
    assert kept == "jane@xn--bcher-kva.test"
    assert kept == address.normalise(written)


def test_a_district_with_an_international_domain_owns_both_its_forms() -> None:
    district = District(
        name="Bücher",
        short_name="B",
        domains=(domain("Bücher.test."),),
        spammail="s@xn--bcher-kva.test",
        postmaster="p@xn--bcher-kva.test",
        authserv_id="mailguard.example.org",
    )
    for mailbox in ("jane@bücher.test", "jane@xn--bcher-kva.test", "j@staff.BÜCHER.test"):
        assert district.owns(mailbox), mailbox
    assert not district.owns("jane@bucher.test")
