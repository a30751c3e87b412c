"""The `engines` section of `mailguard.yaml`: who else is asked about a message (R26, R28).

Owns names, types, defaults and bounds. Must not know how an engine is asked (`adapters/engines`).
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from mailguard.config.form.forms import Address, Domain, FilePath, HttpUrl, Seconds, Section
from mailguard.core.decision.engines import OnNoAnswer

_MIB = 1_048_576
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_ERRORS = ipaddress.ip_network("127.255.255.0/24")


def _code(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        address = None
    if address is None or address not in _LOOPBACK or address in _ERRORS:
        raise ValueError(
            f"{text[:50]!r} is no answer of a list; allowed: an address as in 127.0.0.2; "
            "127.255.255.0/24 are errors"
        )
    return str(address)


Code = Annotated[str, AfterValidator(_code)]
Points = Annotated[float, Field(ge=-100, le=100)]


class EngineSettings(Section):
    """What all engines have."""

    timeout: Seconds = Field(
        10.0,
        description="Seconds for an answer, waiting for a free connection included; never longer "
        "than the `deadline` of all facts.",
    )
    on_no_answer: OnNoAnswer = Field(
        OnNoAnswer.DEFER,
        description="What becomes of a message when the engine does not answer: `defer`, the "
        "client hears 451, keeps it and comes back; `quarantine`; or `ignore`, it is judged "
        "without the engine. Told as a finding each time.",
    )


class ScannerSettings(EngineSettings):
    """What engines that read the message have."""

    max_size: int = Field(
        25 * _MIB,
        ge=1_024,
        description="Octets of the largest message that is sent to it; a larger one it has not "
        "scanned, which is a finding. Not above the engine's own limit.",
    )
    connections: int = Field(
        10, ge=1, le=1_000, description="Messages that are scanned at once; the others wait."
    )


class WeightedSettings(ScannerSettings):
    """What engines that give a score have."""

    weight: float = Field(
        1.0, ge=0, le=100, description="Our points for one of the engine's (see `spam`)."
    )
    at_most: float = Field(
        10.0, ge=0, le=100, description="Points at most, however high the engine's score."
    )
    at_least: float = Field(
        -3.0, ge=-100, le=0, description="Points at least, however low: what it may take off."
    )


class RspamdSettings(WeightedSettings):
    """rspamd's normal worker, asked over HTTP (`/checkv2`)."""

    url: HttpUrl = Field(description="Where it listens, as in http://127.0.0.1:11333.")


class SpamdSettings(WeightedSettings):
    """SpamAssassin's spamd."""

    address: Address = Field(description="host:port that spamd listens on; usually port 783.")
    max_size: int = Field(
        512_000,
        ge=1_024,
        description="Octets of the largest message that is sent to it; spamd takes long for large "
        "ones.",
    )


class ClamdSettings(ScannerSettings):
    """ClamAV's clamd. Set `AlertExceedsMax yes` in its configuration: without it what exceeds its
    own limits is called clean."""

    address: Address | None = Field(None, description="host:port of its TCPSocket.")
    socket: FilePath | None = Field(None, description="Path of its LocalSocket, instead.")

    @model_validator(mode="after")
    def _one_way(self) -> ClamdSettings:
        if (self.address is None) == (self.socket is None):
            raise ValueError("one way to reach clamd is needed; allowed: either address or socket")
        return self


class DnsblSettings(EngineSettings):
    """One list in DNS (RFC 5782). Its name in findings is the zone. Answers in 127.255.255.0/24
    mean that the list refuses us: that is no answer."""

    zone: Domain = Field(description="The list's zone, as in zen.example.test.")
    clients: bool = Field(
        True, description="Ask for the client's address; only for mail from outside."
    )
    domains: bool = Field(
        False,
        description="Ask for the domains of the author, the reverse-path and the links: a list of "
        "domains.",
    )
    codes: dict[Code, Points] = Field(
        {},
        description="Points by answer, as in `127.0.0.2: 3`; what is not named has `points`.",
    )
    points: Points = Field(
        3.0, description="Points of an answer that `codes` does not name; 0 for none."
    )
    timeout: Seconds = Field(5.0, description="Seconds for all questions to the list.")
    on_no_answer: OnNoAnswer = Field(
        OnNoAnswer.IGNORE,
        description="`ignore`, `quarantine` or `defer`, as above. A list is one opinion of many, "
        "run by strangers, so mail does not wait for it.",
    )

    @model_validator(mode="after")
    def _asks(self) -> DnsblSettings:
        if not self.clients and not self.domains:
            raise ValueError("nothing is asked; allowed: clients or domains or both")
        return self


class EnginesSettings(Section):
    """Who else is asked about every message. None by default: the built-in scorer needs no
    service."""

    rspamd: RspamdSettings | None = None
    spamd: SpamdSettings | None = None
    clamd: ClamdSettings | None = None
    dnsbl: tuple[DnsblSettings, ...] = ()

    @model_validator(mode="after")
    def _each_zone_once(self) -> EnginesSettings:
        zones = [one.zone for one in self.dnsbl]
        twice = sorted({zone for zone in zones if zones.count(zone) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands here twice; allowed: each zone once")
        return self
