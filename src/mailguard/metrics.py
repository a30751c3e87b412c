"""Every metric, named once. Must not know who counts."""

from __future__ import annotations

from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram

Labelled = TypeVar("Labelled", Counter, Gauge, Histogram)
_children: dict[tuple[object, ...], Any] = {}


def child(metric: Labelled, *labels: str) -> Labelled:
    """What `metric.labels` gives, found at once the next time. Not for a metric that is cleared,
    nor for labels that a stranger chooses: like the metric itself, it forgets nothing."""
    key = (metric, *labels)
    found = _children.get(key)
    if found is None:
        found = _children[key] = metric.labels(*labels)
    made: Labelled = found
    return made


MESSAGES = Counter("mailguard_messages_total", "Messages answered.", ["listener", "reply"])
RECIPIENTS = Counter(
    "mailguard_recipients_total",
    "Recipients' copies by outcome.",
    ["listener", "disposition", "check"],
)
FINDINGS = Counter(
    "mailguard_findings_total", "Findings, waived and observed ones included.", ["code", "effect"]
)
STAGE_SECONDS = Histogram(
    "mailguard_stage_seconds",
    "Seconds a message spends in a stage.",
    ["stage"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
)
CONNECTIONS = Gauge("mailguard_connections", "Clients connected now.", ["listener"])
REFUSED_CONNECTIONS = Counter(
    "mailguard_refused_connections_total", "Connections refused.", ["listener", "reason"]
)
PROTOCOL_ERRORS = Counter(
    "mailguard_protocol_errors_total", "Commands refused.", ["listener", "code"]
)
LOGINS = Counter("mailguard_logins_total", "AUTH attempts.", ["listener", "result"])
ACCOUNT_CLIENTS_ALERTS = Counter(
    "mailguard_account_clients_alerts_total",
    "Messages under a login that was used from too many client addresses (R4).",
)
LEAVERS_DUE = Gauge(
    "mailguard_leavers_due",
    "Leavers whose account is to be deleted: day 30 has come and no legal hold (R6).",
)
NEXT_HOP_REPLIES = Counter(
    "mailguard_next_hop_replies_total", "The next hop's replies to recipients.", ["class"]
)
NEXT_HOP_ERRORS = Counter(
    "mailguard_next_hop_errors_total", "Trouble reaching the next hop.", ["kind"]
)
ENGINE_SECONDS = Histogram(
    "mailguard_engine_seconds",
    "Seconds until a scanning engine answered or was given up.",
    ["engine"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
)
ENGINE_ANSWERS = Counter(
    "mailguard_engine_answers_total",
    "Scanning engines' answers: clean, spam, malware, unscannable, unavailable.",
    ["engine", "result"],
)
OUTBOUND_SPAM_ALERTS = Counter(
    "mailguard_outbound_spam_alerts_total",
    "Messages from inside that were taken for spam: an account may be stolen (R26).",
)
ACCOUNT_RATE_ALERTS = Counter(
    "mailguard_account_rate_alerts_total",
    "Messages of an account that writes to more recipients than it may (R55).",
)
DNS_QUERIES = Counter("mailguard_dns_queries_total", "DNS queries by result.", ["result"])
DKIM_SECOND_OPINIONS = Counter(
    "mailguard_dkim_second_opinions_total",
    "Messages that dkimpy was to verify too (authentication.second_opinion): agreed, disagreed, "
    "by_design (ours is stricter on purpose), or why it gave no opinion: too_large, white_space, "
    "no_key, unread, killed, busy, failed.",
    ["result"],
)
RELOADS = Counter("mailguard_reloads_total", "Configuration loads.", ["result"])
RELOADED_AT = Gauge(
    "mailguard_reload_success_timestamp_seconds", "When the configuration in force was loaded."
)
OUTBOX = Gauge("mailguard_outbox_messages", "Messages in the outbox.", ["kind", "state"])
OUTBOX_AGE = Gauge(
    "mailguard_outbox_oldest_seconds", "Age of the oldest message waiting in the outbox."
)
QUARANTINE = Gauge("mailguard_quarantine_messages", "Copies kept, by disposition.", ["disposition"])
QUARANTINE_AGE = Gauge(
    "mailguard_quarantine_oldest_seconds",
    "Age of the oldest quarantined copy that waits for a person.",
)
APPROVALS = Gauge("mailguard_approvals_open", "Messages that wait for approvers (R18).")
APPROVALS_AGE = Gauge("mailguard_approvals_oldest_seconds", "Age of the oldest open approval.")
APPROVALS_OVERDUE = Gauge(
    "mailguard_approvals_overdue", "Open approvals whose reminder or end is due and not done."
)
CASES = Gauge("mailguard_cases_open", "Requests to unblock a sender that are open (R29).")
CASES_AGE = Gauge("mailguard_cases_oldest_seconds", "Age of the oldest open request to unblock.")
CASES_OVERDUE = Gauge(
    "mailguard_cases_overdue", "Open requests to unblock that took longer than they ought to (R34)."
)
APPROVALS_GAUGES = (APPROVALS, APPROVALS_AGE, APPROVALS_OVERDUE)
CASES_GAUGES = (CASES, CASES_AGE, CASES_OVERDUE)
TICKETS = Gauge("mailguard_tickets_open", "What waits for people, by kind.", ["kind"])
TICKETS_AGE = Gauge(
    "mailguard_tickets_oldest_seconds", "Age of the oldest that waits for people.", ["kind"]
)
TICKETS_OVERDUE = Gauge(
    "mailguard_tickets_overdue", "What waits for people longer than it ought to.", ["kind"]
)
TICKETS_UNREADABLE = Counter(
    "mailguard_tickets_unreadable_total",
    "Times that a ticket's state was found damaged: it is set aside for a day.",
    ["kind"],
)
LETTERS = Gauge("mailguard_letters_unread", "Letters to our desks that nobody has read.")
LETTERS_AGE = Gauge("mailguard_letters_oldest_seconds", "Age of the oldest unread letter.")
POOL_KILLED = Counter(
    "mailguard_pool_killed_total", "Readings that ran over their budget and were killed."
)
INTERNAL_ERRORS = Counter(
    "mailguard_internal_errors_total",
    "Our own trouble; where a client waits for a reply, it hears 451.",
    ["stage"],
)
RENDER_FAULTS = Counter(
    "mailguard_render_faults_total",
    "Copies whose edits failed the self-check: quarantined or sent unedited (render_fault).",
)
LOOP_HELD = Histogram(
    "mailguard_event_loop_held_seconds",
    "How late a timer fired: how long the event loop was held.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5),
)
