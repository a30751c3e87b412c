"""The settings of `mailguard.yaml`. Field descriptions are the reference documentation.

Owns names, types, defaults and bounds. Must not know how files are read (`load`) or what the
adapters do with a value.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mailguard.config.form.forms import (
    Address,
    Domain,
    FilePath,
    HostName,
    HttpUrl,
    Mailbox,
    Network,
    OptionalHostName,
    OptionalMailbox,
    Seconds,
    Section,
    TimeZone,
)
from mailguard.config.settings.desks import ApprovalsSettings, SpamDeskSettings
from mailguard.config.settings.engines import EnginesSettings
from mailguard.core.mail.transaction import Role


class DistrictSettings(Section):
    """Who the district is, as notices and checks name it."""

    name: str = Field(description="The district's full name, as notices sign.")
    short_name: str = Field(description="Its usual abbreviation; stands in the block notice (V1).")
    domains: tuple[Domain, ...] = Field(
        min_length=1,
        description="The district's mail domains. "
        "Whatever is below one of them is the district's too.",
    )
    spammail: Mailbox = Field(
        description="Where people forward blocked mail to; exempt from spam verdicts (R28)."
    )
    postmaster: Mailbox = Field(description="Whom a notice tells people to write to.")
    approvals: OptionalMailbox = Field(
        "",
        description="Where approvers' answers go (R18); mailguard reads them and passes none on, "
        "so the mail server must route this address to mailguard. `approvals@` at the first "
        "domain where empty.",
    )
    administrator: str = Field(
        "E-mail Administrator", description="Who signs the verification mail (V2)."
    )
    department: str = Field("Technology Services", description="The department that runs mail.")
    events_address: OptionalMailbox = Field(
        "", description="The District Events mailbox, for notices to point to (R23)."
    )
    time_zone: TimeZone = Field("UTC", description="IANA name, as in America/Los_Angeles.")


class ListenerSettings(Section):
    """One socket and what its clients are trusted with."""

    name: str = Field(description="Shown in metrics, logs and the ledger.")
    role: Role = Field(
        description="`mx`: mail from outside. `submission`: the district's people, by AUTH. "
        "`relay`: the district's own servers, by address."
    )
    address: Address = Field(description="host:port to listen on.")
    tls_certificate: FilePath | None = Field(None, description="PEM chain; turns STARTTLS on.")
    tls_key: FilePath | None = Field(None, description="PEM key of the certificate.")
    tls_client_ca: FilePath | None = Field(
        None,
        description="PEM bundle that clients' certificates are verified with. A device whose "
        "certificate is in `accounts.csv` needs no login on a submission listener (R1).",
    )
    tls_required: bool | None = Field(
        None, description="Refuse mail before STARTTLS. Default: yes for submission, no otherwise."
    )
    implicit_tls: bool = Field(False, description="TLS from the first octet (port 465).")
    trusted_peers: tuple[Network, ...] = Field(
        (),
        description="Addresses or networks that may connect (relay) "
        "and use XCLIENT, XFORWARD and PROXY.",
    )
    proxy_protocol: bool = Field(
        False, description="Expect a PROXY header (v1 or v2) from trusted_peers."
    )


class SessionLimits(Section):
    """What one client may ask of us."""

    message_size: int = Field(
        52_428_800, ge=65_536, description="Octets of a message; more is 552. Announced as SIZE."
    )
    recipients: int = Field(
        1_000, ge=100, description="Recipients of a transaction; more is 452 (RFC 5321 4.5.3.1.8)."
    )
    command_length: int = Field(
        4_096, ge=512, description="Octets of a command line, line end included."
    )
    line_length: int = Field(
        1_000_000, ge=1_000, description="Octets of a line of the message; more is 500 5.6.0."
    )
    received_fields: int = Field(
        50, ge=10, description="More Received fields than that are a loop: 554 5.4.6."
    )
    buffered: int = Field(
        1_073_741_824,
        ge=1_048_576,
        description="Octets of messages held at once while they come in; a message over it is 452.",
    )
    connections: int = Field(
        2_000, ge=1, description="Clients at once on all listeners; more hear 421."
    )
    connections_per_client: int = Field(
        50, ge=1, description="Clients at once from one address; more hear 421."
    )
    errors: int = Field(20, ge=1, description="Protocol errors in a session before 421.")
    transactions: int = Field(1_000, ge=1, description="Messages in a session before 421.")
    idle: Seconds = Field(
        300.0,
        description="Seconds without a complete command or any message data before 421 "
        "(RFC 5321 4.5.3.2).",
    )
    data: Seconds = Field(600.0, description="Seconds that a whole DATA may take.")
    starttls: Seconds = Field(30.0, description="Seconds for a TLS handshake or a PROXY header.")
    drain: Seconds = Field(
        30.0, description="Seconds that SIGTERM waits for transactions under way."
    )


class NextHopSettings(Section):
    """The district's mail server behind us."""

    address: Address = Field(
        description="host:port of Postfix, Exchange or whatever takes the mail."
    )
    tls: str = Field(
        "opportunistic",
        pattern="^(off|opportunistic|required|verified)$",
        description="`off`, `opportunistic`, `required` (any certificate) or `verified`.",
    )
    tls_ca: FilePath | None = Field(
        None, description="PEM bundle for `verified`; the system's otherwise."
    )
    tls_name: OptionalHostName = Field(
        "", description="Name the certificate must bear; the host otherwise."
    )
    helo: OptionalHostName = Field("", description="Our name in EHLO; `hostname` otherwise.")
    xforward: bool = Field(
        True, description="Pass the client's address on by XFORWARD where the next hop offers it."
    )
    connections: int = Field(20, ge=1, description="Kept connections at most.")
    connect: Seconds = Field(10.0, description="Seconds to connect, TLS included.")
    command: Seconds = Field(15.0, description="Seconds for the reply to a command.")
    data: Seconds = Field(30.0, description="Seconds for the reply to the final dot.")
    idle: Seconds = Field(60.0, description="Seconds before an unused connection is closed.")
    verify_recipients: bool = Field(
        True, description="Ask the next hop at RCPT whether it knows the recipient."
    )
    verify_positive: Seconds = Field(600.0, description="Seconds a yes is remembered.")
    verify_negative: Seconds = Field(60.0, description="Seconds a no is remembered.")


class DnsSettings(Section):
    """Whom to ask for SPF, DKIM, ARC and DMARC records."""

    servers: tuple[Address, ...] = Field(
        (), description="host:port of resolvers; the system's where empty."
    )
    timeout: Seconds = Field(5.0, description="Seconds for one query.")
    lifetime: Seconds = Field(15.0, description="Seconds for all the lookups of one message.")


class SecondOpinionSettings(Section):
    """How far our own verdicts on mail from outside are watched."""

    second_opinion: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the messages with a DKIM signature that dkimpy verifies too, after "
        "the reply and in a process of its own; which ones follows from their digests. It changes "
        "no verdict: where the two differ, the log says so and "
        "`mailguard_dkim_second_opinions_total` counts it. 0 for none.",
    )


class HttpSettings(Section):
    """Health, metrics and the copy page."""

    address: Address = Field(
        Address(host="127.0.0.1", port=8025), description="host:port of the pages."
    )
    public_url: HttpUrl = Field(
        "http://127.0.0.1:8025",
        description="How a reader's browser reaches the copy page; no slash at the end.",
    )


class AuthSettings(Section):
    """How submission logins are proven."""

    password_file: FilePath | None = Field(
        None, description="Lines `login:$argon2id$…`; see `mailguard account`."
    )
    pass_to_next_hop: bool = Field(
        False, description="Try the login on the next hop instead (AUTH PLAIN over TLS)."
    )
    insecure_login: bool = Field(
        False, description="Offer AUTH without TLS: only for loopback and tests."
    )
    failures: int = Field(3, ge=1, description="Failed logins in a session before 421.")


class StorageSettings(Section):
    """Where state is kept."""

    state: FilePath = Field(
        Path("state"),
        validate_default=True,
        description="Directory of the database, the blobs and the keys.",
    )
    database: str = Field(
        "", description="SQLAlchemy URL; SQLite in the state directory where empty."
    )
    compression: int = Field(3, ge=1, le=19, description="zstd level of the archive.")


class SigningKeySettings(Section):
    """One DKIM key; make it with `mailguard dkim keygen`."""

    domain: Domain = Field(description="The domain that signs: the author's, or one above it.")
    selector: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Where DNS has the public key."
    )
    key: FilePath = Field(description="The private key, PEM: RSA-2048 or Ed25519.")
    active_from: str = Field(
        "", pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="The first day it signs; else at once."
    )
    active_until: str = Field(
        "", pattern=r"^(\d{4}-\d{2}-\d{2})?$", description="The last day it signs; else always."
    )


class SigningSettings(Section):
    """DKIM signatures of what leaves, ARC seals of what we edit."""

    keys: tuple[SigningKeySettings, ...] = Field(
        (), description="Every active key of the author's domain signs, so keys can overlap."
    )
    seal: bool = Field(
        True,
        description="Seal mail from outside that we edit (ARC, RFC 8617) with the first active "
        "key, so that later servers can see what it was before.",
    )


class OutboxSettings(Section):
    """Notices, spammail copies, releases and copies put off."""

    first_retry: Seconds = Field(
        30.0, description="Seconds before the first new try; doubled after each."
    )
    longest_retry: Seconds = Field(3_600.0, description="Seconds between tries at most.")
    give_up: float = Field(
        432_000.0,
        gt=0,
        description="Seconds after which an entry is marked failed; it is kept and counted.",
    )
    poll: Seconds = Field(
        1.0, description="Seconds between looks at the outbox for what other processes put there."
    )


class PoolSettings(Section):
    """The killable workers that read what is big or dangerous."""

    workers: int = Field(1, ge=1, le=64, description="Processes.")
    above: int = Field(
        131_072, ge=0, description="Octets of text from which a message is read there."
    )
    seconds: Seconds = Field(
        10.0, description="A reading that takes longer is killed: the message is unscannable."
    )
    memory: int = Field(
        1_073_741_824, ge=134_217_728, description="Octets of address space of a worker."
    )


class LogSettings(Section):
    """The log on standard error: one JSON line an event."""

    level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="The least that is logged."
    )


class Settings(Section):
    """`mailguard.yaml`. What stands under `district` is in force once the file is saved;
    everything else after a restart."""

    hostname: HostName = Field(
        description="Our name in greetings, Received and Authentication-Results.",
    )
    district: DistrictSettings
    listeners: tuple[ListenerSettings, ...] = Field(min_length=1)
    next_hop: NextHopSettings
    limits: SessionLimits = SessionLimits()
    auth: AuthSettings = AuthSettings()
    dns: DnsSettings = DnsSettings()
    authentication: SecondOpinionSettings = SecondOpinionSettings()
    http: HttpSettings = HttpSettings()
    storage: StorageSettings = StorageSettings()
    signing: SigningSettings = SigningSettings()
    outbox: OutboxSettings = OutboxSettings()
    approvals: ApprovalsSettings = ApprovalsSettings()
    spam_desk: SpamDeskSettings = SpamDeskSettings()
    pool: PoolSettings = PoolSettings()
    engines: EnginesSettings = EnginesSettings()
    log: LogSettings = LogSettings()
    deadline: Seconds = Field(
        20.0, description="Seconds for all facts of a message; what is missing then is unavailable."
    )
    quarantine_to: str = Field(
        "both",
        pattern="^(mailbox|store|both)$",
        description="Where quarantined mail shows: a copy in the spammail@ mailbox, the store "
        "alone, or both. The store always keeps it.",
    )
    quarantine_days: float = Field(
        60.0,
        ge=0,
        description="Days after which a quarantined copy that nobody asked for is no longer "
        "offered for release; 0 for never. What is held for approval or belongs to an open case "
        "stays, and the archive keeps every message.",
    )
    quarantine_octets: int = Field(
        0,
        ge=0,
        description="Octets of the messages that may wait in quarantine; beyond it the oldest "
        "that nobody asked for expire early. 0 for any number.",
    )
    render_fault: str = Field(
        "quarantine",
        pattern="^(quarantine|deliver)$",
        description="Every edited copy is read again and compared with what was planned. When one "
        "differs, which is a defect of mailguard's: `quarantine` that copy, or `deliver` the "
        "message without its edits. Counted as mailguard_render_faults_total either way.",
    )
    quarantine_reply: str = Field(
        "reject",
        pattern="^(reject|accept)$",
        description="When every copy is quarantined: tell the client by 550 with the notice "
        "(R27), or accept silently.",
    )
