"""The sample messages: each shows one rule of the policy, and says what should become of it.

Owns the list, the files beside it and how one is made ready for sending. Must not know how mail is
sent or how the outcome is found out: what is shown comes from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

FORWARD, QUARANTINE, HOLD, BOUNCE = "forward", "quarantine", "hold", "bounce"
_TARA = "tara.olive@example.org"


@dataclass(frozen=True, slots=True)
class Sample:
    """One message, how it is sent, and the outcome that the example policy gives it."""

    file: str  # below samples/
    title: str
    listener: str  # the role: mx, submission or relay
    reverse_path: str
    expected: Mapping[str, str]  # recipient → disposition
    rule: str  # the rule it shows (docs: the rule register)
    account: str = ""  # the login on submission
    copy_has: str = ""  # stands in each forwarded copy
    reply_has: str = ""  # stands in the reply to the final dot

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(self.expected)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "parent-with-links.eml",
        "A parent's mail with links",
        "mx",
        "omar.reed@example.com",
        {_TARA: FORWARD},
        "R39",
        copy_has="/l/",
    ),
    Sample(
        "teacher-writes-outside.eml",
        "A teacher's mail to a parent",
        "submission",
        _TARA,
        {"omar.reed@example.com": FORWARD},
        "R11",
        account="tolive",
        copy_has="CONFIDENTIALITY NOTICE",
    ),
    Sample(
        "signed-message.eml",
        "Signed mail to a parent",
        "submission",
        "ben.poplar@example.org",
        {"omar.reed@example.com": FORWARD},
        "R8",
        account="bpoplar",
        copy_has="X-Mailguard-Disclaimer: not-placed",
    ),
    Sample(
        "account-claims-colleague.eml",
        "A teacher writes as the principal",
        "submission",
        "paula.pine@example.org",
        {"ben.poplar@example.org": BOUNCE},
        "R1",
        account="tolive",
        reply_has="does not own",
    ),
    Sample(
        "outside-under-staff-name.eml",
        "A stranger as the Superintendent",
        "mx",
        "office.desk@example.net",
        {_TARA: QUARANTINE},
        "R1",
    ),
    Sample(
        "outside-claims-district.eml",
        "A stranger with a district address",
        "mx",
        "bounces@example.net",
        {_TARA: BOUNCE},
        "R1",
    ),
    Sample(
        "malformed-from.eml",
        "A From field of two readings",
        "mx",
        "nia.moss@example.com",
        {_TARA: QUARANTINE},
        "R1",
    ),
    Sample(
        "student-system.eml",
        "The student system by the relay",
        "relay",
        "sis@example.org",
        {_TARA: FORWARD},
        "R1",
    ),
    Sample(
        "teacher-to-all-staff.eml",
        "A teacher to all employees",
        "submission",
        _TARA,
        {"all-staff@example.org": BOUNCE},
        "R15",
        account="tolive",
    ),
    Sample(
        "superintendent-to-all-staff.eml",
        "The Superintendent to all employees",
        "submission",
        "superintendent@example.org",
        {"all-staff@example.org": FORWARD},
        "R15",
        account="saspen",
    ),
    Sample(
        "teacher-to-own-group.eml",
        "A teacher to her school's teachers",
        "submission",
        _TARA,
        {"teachers-oak@example.org": FORWARD},
        "R17",
        account="tolive",
    ),
    Sample(
        "custodian-to-teachers.eml",
        "A custodian to the teachers",
        "submission",
        "clara.rowan@example.org",
        {"teachers-oak@example.org": HOLD},
        "R18",
        account="crowan",
    ),
    Sample(
        "outside-to-closed-group.eml",
        "A company to a closed group",
        "mx",
        "sales@example.com",
        {"custodians@example.org": BOUNCE},
        "R17",
    ),
    Sample(
        "mixed-recipients.eml",
        "A colleague and a group at once",
        "submission",
        _TARA,
        {"ben.poplar@example.org": FORWARD, "all-oak@example.org": BOUNCE},
        "R14",
        account="tolive",
    ),
    Sample(
        "test-pattern.eml",
        "The test pattern of spam filters",
        "mx",
        "nia.moss@example.com",
        {_TARA: QUARANTINE},
        "R26",
        reply_has="has been blocked as a possible Spam email by the EVUSD Mail Filtering System",
    ),
    Sample(
        "unlisted-sender.eml",
        "Spam from anybody",
        "mx",
        "prize@example.net",
        {_TARA: QUARANTINE},
        "R27",
        reply_has="has been blocked as a possible Spam email",
    ),
    Sample(
        "unblocked-parent.eml",
        "The same from an unblocked parent",
        "mx",
        "rosa.alder@example.com",
        {_TARA: FORWARD},
        "R37",
    ),
    Sample(
        "to-spammail.eml",
        "The same to spammail@",
        "mx",
        "kai.fern@example.com",
        {"spammail@example.org": FORWARD},
        "R28",
    ),
)

# One message can be told to its sender by mail: this mailbox gets the notice of mixed-recipients.
NOTICE_TO = _TARA
# And one waits for approval: this mailbox gets the question about custodian-to-teachers.
APPROVER = "paula.pine@example.org"


def path(sample: Sample) -> Path:
    """Where the message is, for people and for swaks."""
    return Path(str(files("mailguard.demo") / "samples" / sample.file))


def ready(sample: Sample, date: str, message_id: str) -> bytes:
    """The message as a mail program would send it: CRLF, with `date` (RFC 5322 3.3) and
    `message_id` (without angle brackets) in place of the tokens, which swaks fills as well."""
    text = path(sample).read_text(encoding="utf-8")
    text = text.replace("%DATE%", date).replace("%MESSAGEID%", message_id)
    return "\r\n".join(text.split("\n")).encode()
