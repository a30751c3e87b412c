"""The forms that values of `mailguard.yaml` have: addresses, domains, paths, seconds.

Owns how each is written and checked, and what all sections share. Must not know any setting.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from mailguard.config.form import addresses
from mailguard.core.mail import mailbox

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]  # 0 lets the system choose: tests and the demo


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """A relative path begins at the configuration directory, wherever we were started."""
    base = (info.context or {}).get("directory")
    return Path(os.path.abspath(Path(base) / path)) if base is not None else path  # noqa: PTH100 - lexical: a link may be moved later


def _optional(check: Any) -> Any:
    return lambda value: check(value) if value else ""


FilePath = Annotated[Path, AfterValidator(_resolve), Field(json_schema_extra={"form": "path"})]
Mailbox = Annotated[
    str, AfterValidator(mailbox.mailbox), Field(json_schema_extra={"form": "address"})
]
OptionalMailbox = Annotated[
    str, AfterValidator(_optional(mailbox.mailbox)), Field(json_schema_extra={"form": "address"})
]
Domain = Annotated[str, AfterValidator(mailbox.domain)]
HostName = Annotated[str, AfterValidator(addresses.hostname)]
OptionalHostName = Annotated[str, AfterValidator(_optional(addresses.hostname))]
Network = Annotated[str, AfterValidator(addresses.network)]
TimeZone = Annotated[str, AfterValidator(addresses.time_zone)]
HttpUrl = Annotated[str, AfterValidator(addresses.http_url)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Address(Section):
    """A host and a port, written `host:port` or `[2001:db8::1]:port`."""

    host: str
    port: Port

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        """Accept `host:port`, the one form that files use."""
        return addresses.host_port(value) if isinstance(value, str) else value

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
