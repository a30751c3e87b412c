"""Programs, scripts and what hides them among the files that come with a message (R40).

Owns which files are not let through, whose mail is judged, and who is a known source. What a file
is has been found out by `core.files.scan`. Must not know how archives and documents are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Final, Literal

from pydantic import Field, field_validator

from mailguard.core.decision.facts import Facts, Unavailable
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Finding, Verdict
from mailguard.core.files import filenames
from mailguard.core.files.file import File
from mailguard.core.files.filetypes import KINDS, words_of
from mailguard.core.mail import address, safe_text
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.sender import identity
from mailguard.core.sender.outside_proof import author_authenticated

EXECUTABLE = FindingType(
    "attachments.executable",
    "a program is attached",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Programs are not sent by e-mail, nor passed on. Say where the program can be had, "
    "or ask Technology Services to install it.",
    store_only=True,
)
SCRIPT = FindingType(
    "attachments.script",
    "a script is attached, which a click would run",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Scripts are not sent by e-mail, nor passed on. Share the folder it is in, or paste its "
    "text into the message.",
    store_only=True,
)
MACRO = FindingType(
    "attachments.macro",
    "an attached document can run something: a macro, a control, an embedded object",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Save the document without macros, as .docx, .xlsx, .pptx or PDF, and send that.",
)
DOUBLE_EXTENSION = FindingType(
    "attachments.double-extension",
    "an attachment's name hides what it is",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Give the file a plain name with its one true extension, such as report.pdf.",
)
ENCRYPTED = FindingType(
    "attachments.encrypted",
    "an attachment is locked with a password, so nobody can see whether it is safe",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Send the file without a password, or share it from a folder that needs a login.",
)
UNSCANNABLE = FindingType(
    "attachments.unscannable",
    "an attachment could not be looked into",
    ("R40",),
    Disposition.QUARANTINE,
    advice="Send the files themselves, or pack them as an ordinary ZIP file with less in it.",
)
MISMATCH = FindingType(
    "attachments.mismatch",
    "an attachment is something else than its name or its declared type says",
    ("R40",),
    Disposition.FORWARD,
    advice="Give the file the extension of what it is.",
)
PDF_SCRIPT = FindingType(
    "attachments.pdf-script",
    "an attached PDF contains JavaScript, as many forms do",
    ("R40",),
    Disposition.FORWARD,
    advice="Print the form to a new PDF and send that.",
)
PDF_ENCRYPTED = FindingType(
    "attachments.pdf-encrypted",
    "an attached PDF is encrypted; many of these open without a password",
    ("R40",),
    Disposition.FORWARD,
    advice="Send the PDF without a password.",
)

_LISTED = 3  # files that evidence names at most
_MACROS: Final = {
    "macros": "contains macros",
    "ActiveX control": "contains an ActiveX control",
    "embedded object": "contains an embedded object",
    "remote template": "fetches its template from elsewhere",
    "launch": "starts a program",
}
_SCRIPTS: Final = {
    "smuggling": "builds a file for whoever opens it",
    "script": "contains a script",
}
_STRICT: Final = ("pdf", "docx", "xlsx", "pptx", "doc", "xls", "ppt", "jpg", "jpeg", "png", "gif")
_SUITS: Final = {"office": ("office", "text"), "message": ("message", "text")}

Whose = Literal["everybody", "outside", "nobody"]
Reason = Callable[[File], str]


def _whose(default: Whose, what: str) -> Whose:
    text = f"Whose mail is looked at for {what}: `everybody`, `outside` or `nobody`."
    whose: Whose = Field(default, description=text)
    return whose


class AttachmentsSettings(CheckSettings):
    """Whose attachments are judged, and what may pass."""

    executable: Whose = _whose("everybody", "programs, forwarded ones included")
    script: Whose = _whose("everybody", "scripts, forwarded ones included")
    macro: Whose = _whose("outside", "documents that can run something")
    double_extension: Whose = _whose("everybody", "names that hide what a file is")
    encrypted: Whose = _whose("outside", "archives and documents with a password")
    unscannable: Whose = _whose("everybody", "what cannot be looked into")
    mismatch: Whose = _whose("everybody", "files that are not what they are called")
    allowed_extensions: tuple[str, ...] = Field(
        (),
        description="Extensions that are no scripts or programs by their name here, without the "
        "dot, as [js, py] where pupils hand in what they wrote. What is a program by its content "
        "stays one.",
    )
    known_senders: tuple[str, ...] = Field(
        (),
        description="Known sources (R40): single addresses whose programs, scripts, macros and "
        "locked or unreadable files pass. Counts only where the sender's domain, or the account, "
        "vouches for the address. Names that deceive pass from nobody.",
    )
    exempt_spammail: bool = Field(
        False,
        description="Whether mail to the spammail@ mailbox may carry all this. Otherwise it is "
        "judged like all mail: R28 exempts it from the spam filter alone.",
    )

    @field_validator("allowed_extensions")
    @classmethod
    def _plain(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        known = filenames.PROGRAMS | filenames.SCRIPTS | {"py", "sh", "pl", "rb"}
        for extension in extensions:
            if extension not in known:
                raise ValueError(f"{extension} is no extension that would be held back")
        return extensions

    @field_validator("known_senders")
    @classmethod
    def _single(cls, senders: tuple[str, ...]) -> tuple[str, ...]:
        for sender in senders:
            local, at, domain = sender.rpartition("@")
            if not (local and at and "." in domain) or "*" in sender or " " in sender:
                raise ValueError(f"{sender} is no single address")
        return tuple(address.normalise(sender) for sender in senders)


class Attachments:
    """R40: no executables from unknown sources, and none are passed on."""

    name: ClassVar[str] = "attachments"
    Settings: ClassVar[type[CheckSettings]] = AttachmentsSettings
    needs: ClassVar[frozenset[str]] = frozenset({"reading", "account", "spf", "dkim", "dmarc"})
    findings: ClassVar[tuple[FindingType, ...]] = (
        EXECUTABLE,
        SCRIPT,
        MACRO,
        DOUBLE_EXTENSION,
        ENCRYPTED,
        UNSCANNABLE,
        MISMATCH,
        PDF_SCRIPT,
        PDF_ENCRYPTED,
    )

    def examine(
        self, transaction: Transaction, facts: Facts, settings: AttachmentsSettings
    ) -> Verdict:
        """One finding of each kind, which names the first files concerned."""
        reading = facts.reading
        if isinstance(reading, Unavailable):
            return Verdict(self.name, error=f"the attachments were not read: {reading.unavailable}")
        if not reading.files:
            return Verdict(self.name)
        recipients = _concerned(transaction, facts, settings)
        if not recipients:
            return Verdict(self.name)
        allowed = frozenset(settings.allowed_extensions)
        reasons: tuple[tuple[FindingType, Whose, bool, Reason], ...] = (
            (EXECUTABLE, settings.executable, True, lambda f: _program(f, allowed)),
            (SCRIPT, settings.script, True, lambda f: _script(f, allowed)),
            (MACRO, settings.macro, True, _macro),
            (DOUBLE_EXTENSION, settings.double_extension, False, _deceptive),
            (ENCRYPTED, settings.encrypted, True, _encrypted),
            (UNSCANNABLE, settings.unscannable, True, lambda f: f.trouble),
            (MISMATCH, settings.mismatch, False, _mismatch),
            (PDF_SCRIPT, settings.macro, False, _pdf_script),
            (PDF_ENCRYPTED, settings.encrypted, False, _pdf_encrypted),
        )
        outside = transaction.origin is Origin.OUTSIDE
        found = []
        for kind, whose, spared, reason in reasons:
            if whose == "nobody" or (whose == "outside" and not outside):
                continue
            evidence = _evidence(reading.files, reason)
            if evidence and not (spared and _known(transaction, facts, settings)):
                found.append(Finding(kind.code, evidence, recipients))
        return Verdict(self.name, tuple(found))


def _concerned(
    transaction: Transaction, facts: Facts, settings: AttachmentsSettings
) -> tuple[str, ...]:
    recipients = transaction.envelope.recipients
    if not settings.exempt_spammail:
        return recipients
    exempt = address.normalise(facts.district.spammail)
    return tuple(r for r in recipients if address.normalise(r) != exempt)


def _known(transaction: Transaction, facts: Facts, settings: AttachmentsSettings) -> bool:
    """Whether the author is a known source, and proven to be the author."""
    if not settings.known_senders:
        return False
    author = identity.author(transaction)
    if author not in settings.known_senders:
        return False
    if transaction.origin is Origin.OUTSIDE:
        return not facts.district.owns(author) and author_authenticated(transaction, facts)
    return identity.identity(transaction, facts).authenticated_as == author


def _evidence(files: Iterable[File], reason: Reason) -> str:
    """'"a.exe" in "b.zip": it is a Windows program; …': the first files and how many more."""
    told: dict[str, None] = {}
    more = 0
    for file in files:
        why = reason(file)
        if not why:
            continue
        if len(told) < _LISTED:
            told[f"{_called(file)}: {why}"] = None
        else:
            more += 1
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _called(file: File) -> str:
    within = "".join(f' in "{name}"' for name in reversed(file.within))
    if not file.names:
        return f"{words_of(file.kind)} without a name{within}"
    return f'"{safe_text.file_name(file.names[0])}"{within}'


def _extensions(file: File) -> list[str]:
    """By any reading of the name; by the declared type where there is none."""
    found = [e for name in file.names for e in filenames.extensions(name)]
    if not found and file.declared in filenames.DECLARED:
        found = [filenames.DECLARED[file.declared]]
    return found


def _program(file: File, allowed: frozenset[str]) -> str:
    if file.kind in KINDS and KINDS[file.kind].group == "program":
        return f"it is {KINDS[file.kind].words}"
    for extension in _extensions(file):
        if extension not in filenames.PROGRAMS or extension in allowed:
            continue
        # "Forwarded from example.com" ends so as well: only octets that nothing else explains.
        if extension != "com" or not file.kind:
            return f"it is a program by its name (.{extension})"
    return ""


def _script(file: File, allowed: frozenset[str]) -> str:
    extensions = _extensions(file)
    if any(extension in allowed for extension in extensions):
        return ""
    if file.kind in KINDS and KINDS[file.kind].group == "script":
        return f"it is {KINDS[file.kind].words}"
    for extension in extensions:
        if extension in filenames.SCRIPTS:
            return f"it is a script by its name (.{extension})"
    return next((f"it {words}" for trait, words in _SCRIPTS.items() if trait in file.traits), "")


def _macro(file: File) -> str:
    return next((f"it {words}" for trait, words in _MACROS.items() if trait in file.traits), "")


def _deceptive(file: File) -> str:
    return next((why for name in file.names for why in filenames.deceptions(name)), "")


def _encrypted(file: File) -> str:
    return "it needs a password" if "encrypted" in file.traits and file.kind != "pdf" else ""


def _pdf_encrypted(file: File) -> str:
    return "it is encrypted" if "encrypted" in file.traits and file.kind == "pdf" else ""


def _pdf_script(file: File) -> str:
    return "it contains JavaScript" if "javascript" in file.traits else ""


def _mismatch(file: File) -> str:
    """Programs and scripts have findings of their own."""
    if "archive appended" in file.traits:
        return f"it is {words_of(file.kind)} and a ZIP archive at once"
    extensions = _extensions(file)
    promises = [filenames.PROMISES[e] for e in extensions if e in filenames.PROMISES]
    if not promises:
        promises = [p for p in (_declared(file.declared),) if p]
    if not promises:
        return ""
    if not file.kind:
        strict = next((e for e in extensions if e in _STRICT), "")
        return f"its content is not what .{strict} stands for" if strict else ""
    kind = KINDS[file.kind]
    family = kind.family or kind.group
    if kind.group in ("program", "script", "empty") or any(
        family in _SUITS.get(promise, (promise,)) for promise in promises
    ):
        return ""
    return f"it is {kind.words}"


def _declared(declared: str) -> str:
    if declared == "application/pdf":
        return "pdf"
    group = declared.partition("/")[0]
    return {"image": "image", "audio": "media", "video": "media"}.get(group, "")
