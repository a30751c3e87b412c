"""What senders and approvers are told about mail that waits for an approval (R18, R20, R21).

Owns the default texts and their slots: plain words that can be read on a telephone. Must not know
when one is sent.
"""

from __future__ import annotations

from mailguard.core.notices.template import (
    DECIDED_MEANINGS,
    DISTRICT_MEANINGS,
    DISTRICT_SLOTS,
    MESSAGE_MEANINGS,
    RULES_MEANING,
    WAITING_MEANINGS,
    NoticeTexts,
    Template,
)

_MEANINGS = {
    **DISTRICT_MEANINGS,
    **MESSAGE_MEANINGS,
    **RULES_MEANING,
    "sender": "who wrote the message that waits: name and mailbox",
    **WAITING_MEANINGS,
    "people": "the approvers who are asked, by name",
    "until": "when the wait ends, in the district's time",
    "number": "the approval's number: what `mailguard approvals show` takes",
    **DECIDED_MEANINGS,
}
APPROVAL_SLOTS = frozenset(_MEANINGS)

_ABOUT = "\n\nFrom: {sender}\nTo: {recipients}\nSubject: {subject}\n\n"
_ASK = (
    "To answer, reply to this mail from your own account. Write YES in the first line to let the "
    "message go, or NO to stop it. What you write below that is passed on to the sender. Or use "
    "the link."
)
_QUESTIONS = "Questions go to {postmaster}; please quote approval {number}."

_TEMPLATES = {
    "approval-request": Template(
        "A message needs your approval. Nobody has got it yet."
        f"{_ABOUT}Why it waits: {{why}} Rule: {{rules}}. Asked: {{people}}.\n\n{_ASK}\n\n"
        "YES delivers it as it was written. NO stops it, and the sender is told. Without an answer "
        "by {until} it is not delivered, and the sender is told.",
        APPROVAL_SLOTS,
        "the question to each approver (R18, R20)",
    ),
    "approval-reminder": Template(
        "A message from {sender} still waits for your answer. Without one by {until} it is not "
        f"delivered, and the sender is told.{_ABOUT}Why it waits: {{why}} Rule: {{rules}}. "
        f"Asked: {{people}}.\n\n{_ASK}",
        APPROVAL_SLOTS,
        "the reminder to an approver who has not answered",
    ),
    "approval-waiting": Template(
        "Your message to {recipients} waits for approval. You need not send it again.\n\n"
        "Subject: {subject}\n\nWhy it waits: {why} Rule: {rules}. Asked: {people}.\n\n"
        "Once it is approved it is delivered as you wrote it. If nobody answers by {until} it is "
        f"not delivered. You will be told either way. {_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to the sender when a message begins to wait",
    ),
    "approval-granted": Template(
        "Your message to {recipients} was approved by {decided_by} on {decided_at} and is on its "
        f"way. {{remark}}\n\nSubject: {{subject}}\n\n{_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to the sender of an approved message",
    ),
    "approval-denied": Template(
        "Your message to {recipients} was not approved: {decided_by} said no on {decided_at}. It "
        "has not been delivered. {remark}\n\nSubject: {subject}\n\nPlease speak with {decided_by} "
        f"before you send it again. {_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to the sender of a message that was not approved",
    ),
    "approval-expired": Template(
        "Your message to {recipients} has not been delivered, because nobody answered by {until}. "
        "Asked: {people}.\n\nSubject: {subject}\n\nYou may send it again; they are asked again "
        f"then. It helps to tell them beforehand. {_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to the sender when nobody answered in time",
    ),
    "approval-stopped": Template(
        "Your message to {recipients} was stopped by {decided_by} on {decided_at}. {outcome} "
        "{remark}\n\nSubject: {subject}\n\nPlease speak with {decided_by} before you send it "
        f"again. {_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to the sender when the administration stops a message (R21)",
    ),
    "approval-settled": Template(
        f"No answer is needed any more. {{outcome}}{_ABOUT}{{remark}}",
        APPROVAL_SLOTS,
        "told to the other approvers who decided, and when",
    ),
    "approval-too-late": Template(
        f"Thank you for your answer. It changes nothing. {{outcome}}{_ABOUT}{_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to an approver whose answer comes after the decision, or comes twice",
    ),
    "approval-stop": Template(
        f"Your STOP was carried out. {{outcome}}{_ABOUT}{_QUESTIONS}",
        APPROVAL_SLOTS,
        "told to who stopped a message, with what could be withdrawn (R21)",
    ),
    "approval-page": Template(
        f"Your answer on the page was taken. {{outcome}}{_ABOUT}If this was not you, somebody has "
        "the link of your question: reply STOP to the question at once, and tell {postmaster}.",
        APPROVAL_SLOTS,
        "told to an approver who answered on the page, which asks for no login",
    ),
    "approval-unclear": Template(
        "Nothing was done, because your answer could not be read as a plain yes or no. The message "
        f"still waits, until {{until}}.{_ABOUT}Please reply once more, and write nothing but YES "
        "or NO in the first line. Or use the link in the question.",
        APPROVAL_SLOTS,
        "told to an approver whose answer is neither yes nor no",
    ),
    "approval-refused": Template(
        "Your answer was not counted. An approval counts only from the person who was asked, "
        "written from that person's own account; somebody else cannot give it for them. Nothing "
        "was done. If you were asked, please reply to the question itself from your own account. "
        "Questions go to {postmaster}.",
        DISTRICT_SLOTS,
        "told to somebody of the district who answers what they were not asked",
    ),
    "approval-nobody": Template(
        "A message waits for an approval that nobody in the directory can give: whoever could is "
        f"its sender, has left, or is not named.{_ABOUT}Why it waits: {{why}} Rule: {{rules}}. "
        "Asked: {people}.\n\nTo decide: mailguard approvals show {number}, then mailguard "
        "approvals approve {number} or mailguard approvals deny {number}. Without a decision by "
        "{until} it is not delivered, and the sender is told.",
        APPROVAL_SLOTS,
        "told to the postmaster when an approval cannot come about by mail",
    ),
}
APPROVAL_TEXTS = NoticeTexts(_TEMPLATES, _MEANINGS)
