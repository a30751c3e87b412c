"""The checks, a file or a folder each, none of which imports another. The order here is the
reference's; the order of a district's policy is its own.

Adding a check is a file or a folder, and one line here. Must not know policy or configuration.
"""

from __future__ import annotations

from mailguard.checks.attachments import Attachments
from mailguard.checks.authentication import AuthenticationCheck
from mailguard.checks.disclaimer.check import Disclaimer
from mailguard.checks.group_rights.check import GroupRights
from mailguard.checks.impersonation.check import Impersonation
from mailguard.checks.leavers import Leavers
from mailguard.checks.links.check import Links
from mailguard.checks.malware import Malware
from mailguard.checks.mass_mail.check import MassMail
from mailguard.checks.rate import Rate
from mailguard.checks.sender_identity.check import SenderIdentity
from mailguard.checks.spam import Spam
from mailguard.checks.structure import Structure
from mailguard.core.decision.policy import Check

CHECKS: tuple[Check, ...] = (
    Structure(),
    Attachments(),
    AuthenticationCheck(),
    SenderIdentity(),
    Impersonation(),
    Leavers(),
    GroupRights(),
    MassMail(),
    Spam(),
    Malware(),
    Rate(),
    Disclaimer(),
    Links(),
)
