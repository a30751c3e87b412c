"""Who the district is: its domains, addresses and names, as every check and notice needs them.

Must not know policy steps or where the values were configured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from mailguard.core.mail.address import domain_of, normalise

APPROVALS, SPAMMAIL = "approvals", "spammail"  # the desks where mailguard itself reads mail


@dataclass(frozen=True, slots=True)
class District:
    """The district's own particulars. Domains and addresses are in lower case."""

    name: str  # "Example Valley Unified School District"
    short_name: str  # "EVUSD": stands in V1 as "the EVUSD Mail Filtering System"
    domains: tuple[str, ...]
    spammail: str  # the address people forward blocked mail to (R28)
    postmaster: str
    authserv_id: str  # RFC 8601: our name in Authentication-Results
    administrator: str = "E-mail Administrator"  # V2's signature
    department: str = "Technology Services"
    events_address: str = ""  # R23
    approvals: str = ""  # where approvers answer (R18); "": only on the page and the console
    copy_page_url: str = ""  # "https://links.example.org": where `links` points (R39)
    time_zone: str = "UTC"

    def owns_domain(self, domain: str) -> bool:
        """Whether a domain is the district's, or below one that is."""
        if len(domain) > 255:  # RFC 1035 2.3.4: not a domain, and not worth the walk
            return False
        name = _name(domain)
        while name:
            if name in self.domains:
                return True
            name = name.partition(".")[2]
        return False

    def desks(self, recipients: Iterable[str]) -> dict[str, str]:
        """Those recipients that are addresses where mailguard itself reads mail, with the desk's
        name (R18, R28)."""
        names = {self.spammail: SPAMMAIL, self.approvals: APPROVALS}
        named = ((recipient, names.get(normalise(recipient), "")) for recipient in recipients)
        return {recipient: desk for recipient, desk in named if desk}

    def owns(self, mailbox: str) -> bool:
        """Whether a mailbox is at one of the district's domains."""
        return self.owns_domain(mailbox.rpartition("@")[2]) if "@" in mailbox else False


@lru_cache(maxsize=4096)  # a message's links ask again and again; each is at most 255 characters
def _name(domain: str) -> str:
    return domain_of(normalise(f"@{domain}")).rstrip(".")
