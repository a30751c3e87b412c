"""What people are told about requests to unblock a sender (R29 to R35).

Owns the default texts and their slots: plain words that can be read on a telephone. V2 is the
policy's own. Must not know when one is sent.
"""

from __future__ import annotations

from mailguard.core.notices import policy_texts
from mailguard.core.notices.template import (
    DECIDED_MEANINGS,
    DISTRICT_MEANINGS,
    DISTRICT_SLOTS,
    MESSAGE_MEANINGS,
    WAITING_MEANINGS,
    NoticeTexts,
    Template,
)

_MEANINGS = {
    **DISTRICT_MEANINGS,
    **MESSAGE_MEANINGS,
    **WAITING_MEANINGS,
    **DECIDED_MEANINGS,
    "senders": "the outside addresses in question",
    "requester": "who asked for it, by name or address",
    "case": "the case's number: what `mailguard cases show` takes",
    "due": "when it ought to be done, in the district's time",
    "administrator": "who signs V2, as the setting `district.administrator` says",
}
CASE_SLOTS = frozenset(_MEANINGS)
_QUESTIONS = "Questions go to {postmaster}; please quote case {case}."
_REPLY = "To answer, reply to this mail from your own account and write in the first line"

_TEMPLATES = {
    "verification": Template(
        policy_texts.V2_VERIFICATION.replace("{mailbox}", "{spammail}"),
        DISTRICT_SLOTS | {"administrator"},
        "V2: asks the recipient whether the sender is valid; address and message follow (R30)",
    ),
    "case-ask": Template(
        f"{_REPLY} YES, NO or NOT SURE. Or use the link above.\n\n"
        "YES: you know this sender. The address is unblocked for the whole district, and the "
        "message is delivered to you. NO: the message is discarded, and the address stays blocked. "
        "NOT SURE: the blocked message itself is sent to you.\n\n"
        f"Without an answer nothing is unblocked. {_QUESTIONS}",
        CASE_SLOTS,
        "below V2: how to answer, and what follows (R31)",
    ),
    "case-reminder": Template(
        "This question still waits for your answer.",
        CASE_SLOTS,
        "above V2 when somebody has not answered",
    ),
    "case-unsure": Template(
        "You were not sure about this sender, so the blocked message is attached as it came. Its "
        "sender is not verified: open none of its links and attachments, and do not answer it. If "
        "you cannot tell, NO is the safe answer; or ask the person by telephone, at a number that "
        "you know from elsewhere.",
        CASE_SLOTS,
        "above the question that is asked again with the original attached (R31)",
    ),
    "case-review": Template(
        "Please look at the content of a blocked message: may it go on under the standards for "
        "appropriate conduct? {outcome}\n\nFrom: {senders}\nTo: {recipients}\n"
        "Subject: {subject}\nAsked for by: {requester}\nTo be done by: {due}\n\n"
        "Why it was blocked: {why}\n\n"
        f"{_REPLY} YES (the content is fit) or NO (the request ends, the message is discarded). Or "
        "use the link. The whole message: mailguard cases show {case}",
        CASE_SLOTS,
        "asks the reviewers to look at the content before anybody is asked (R32)",
    ),
    "case-decide": Template(
        "Please decide about a request to unblock a sender. {outcome}\n\nFrom: {senders}\n"
        "To: {recipients}\nSubject: {subject}\nAsked for by: {requester}\nTo be done by: {due}\n\n"
        "Why it was blocked: {why}\n\n"
        f"{_REPLY} YES (unblock the address, deliver what may be delivered) or NO (discard it). Or "
        "use the link. All that is known: mailguard cases show {case}",
        CASE_SLOTS,
        "asks the reviewers to decide where recipients cannot, or disagree (R31)",
    ),
    "case-approved": Template(
        "The email address {senders} has been unblocked. {outcome}\n\nSubject: {subject}\n"
        f"Verified by: {{decided_by}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to the staff who verified or asked for a sender (R33)",
    ),
    "case-unblocked": Template(
        "Your email address {senders} has been unblocked by the {short_name} Mail Filtering "
        "System. {outcome} Please write from this address and through your usual mail service, so "
        "that your messages can be told from forged ones.\n\nSubject: {subject}\n\nThank you for "
        "your patience. Questions go to {postmaster}.",
        CASE_SLOTS,
        "told to the outside sender, where the address is proven (R33)",
    ),
    "case-denied": Template(
        "The request to unblock {senders} was not approved, so the message has not been delivered."
        f"\n\nSubject: {{subject}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to who asked for it, staff or proven, when a request is denied",
    ),
    "case-unanswered": Template(
        "The request to unblock {senders} ended without an answer by the recipient, so nothing was "
        "unblocked. The message stays in quarantine for a while; please ask the recipient to write "
        f"to {{spammail}}.\n\nSubject: {{subject}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to who asked for it, staff or proven, when nobody answered",
    ),
    "case-settled": Template(
        "You need not answer any more whether {senders} is a valid sender to you. {outcome}\n\n"
        f"Subject: {{subject}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to those who were asked and need not answer any more",
    ),
    "case-late": Template(
        "Thank you. {senders} was unblocked before, and the message to you is on its way now.\n\n"
        f"Subject: {{subject}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to a recipient whose yes comes after the sender was unblocked",
    ),
    "case-too-late": Template(
        f"Thank you for your answer. It changes nothing. {{outcome}}\n\nSubject: {{subject}}\n\n"
        f"{_QUESTIONS}",
        CASE_SLOTS,
        "told to somebody whose answer comes after the end",
    ),
    "case-unclear": Template(
        "Nothing was done, because your answer could not be read as a plain one. Please reply once "
        "more, and write nothing but YES, NO or NOT SURE in the first line. Or use the link in the "
        f"question.\n\nSubject: {{subject}}\n\n{_QUESTIONS}",
        CASE_SLOTS,
        "told to somebody whose answer is none",
    ),
    "case-page": Template(
        "Your answer on the page was taken. {outcome}\n\nAddress: {senders}\nSubject: {subject}\n\n"
        "If this was not you, somebody has the link of your question: tell {postmaster} at once, "
        "and quote case {case}.",
        CASE_SLOTS,
        "told to somebody who answered on the page, which asks for no login",
    ),
    "case-refused": Template(
        "Your answer was not counted. It counts only from the person who was asked, written from "
        "that person's own account; somebody else cannot give it for them. Nothing was done. "
        "Questions go to {postmaster}.",
        DISTRICT_SLOTS,
        "told to somebody of the district who answers what they were not asked",
    ),
    "case-request": Template(
        "Your request to {spammail} was taken up.",
        DISTRICT_SLOTS,
        "the answer to a staff request; what became of each address follows (R35, R37)",
    ),
    "case-which": Template(
        "Nothing was unblocked, because your message does not say plainly what you want. To have "
        "senders unblocked, write to {spammail} from your own account: UNBLOCK in the first line, "
        "and below it the addresses, each in full. Only specific, individual addresses are "
        "unblocked, no domains. If you report spam: thank you, nothing more is needed.",
        DISTRICT_SLOTS,
        "told to staff whose message to spammail@ is no plain request (R35, R37)",
    ),
    "case-sheet": Template(
        "The addresses that you sent were read.",
        DISTRICT_SLOTS,
        "the answer to a sheet of addresses by mail; its report follows (R38)",
    ),
    "case-sheet-refused": Template(
        "Nothing was imported. Sheets of parents' addresses are taken from school secretaries, "
        "administrators and {department}, from their own accounts; please pass yours on to one of "
        "them. Single addresses you may name in a message to {spammail} yourself.",
        DISTRICT_SLOTS,
        "told to staff who may not hand in a sheet (R38)",
    ),
    "case-summary": Template(
        "What waits in the {short_name} Mail Filtering System this morning.",
        DISTRICT_SLOTS,
        "the daily summary to the reviewers; open cases and the quarantine follow (R29)",
    ),
}
CASE_TEXTS = NoticeTexts(_TEMPLATES, _MEANINGS)
