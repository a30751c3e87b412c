"""JSON schemas of the files that administrators edit, for editors that check while typing.

Owns nothing but the form: all of it is declared in the models and by the checks. Must not know
the reference pages, or how an editor is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailguard.config.form.forms import Address
from mailguard.config.load import default_checks
from mailguard.config.policy import PolicyFile
from mailguard.config.settings.schema import Settings
from mailguard.core.decision.policy import Check


def schema(checks: Sequence[Check] | None = None) -> dict[str, Any]:
    """The schemas of `mailguard.yaml` and `policy.yaml`, by file name."""
    checks = default_checks() if checks is None else checks
    settings = Settings.model_json_schema()
    definitions = settings["$defs"]
    form = "^.+:[0-9]{1,5}$"
    definitions["Address"] = {
        "type": "string",
        "pattern": form,
        "description": (Address.__doc__ or "").strip(),
    }
    policy = PolicyFile.model_json_schema()
    step = policy["$defs"].pop("StepFile")
    approvers = step["properties"]["approvers"]
    policy["$defs"]["Approvers"] = approvers.pop("additionalProperties")
    options = []
    for check in checks:
        own = check.Settings.model_json_schema(ref_template=f"#/$defs/{check.name}.{{model}}")
        for name, definition in own.pop("$defs", {}).items():
            policy["$defs"][f"{check.name}.{name}"] = definition
        findings = step["properties"]["on_finding"]
        words = findings["additionalProperties"]
        properties = {
            **step["properties"],
            "check": {"const": check.name, "description": first_paragraph(type(check))},
            "settings": own,
            "on_finding": {
                "type": "object",
                "description": findings.get("description", ""),
                "properties": {
                    kind.code: {**words, "description": kind.summary, "default": kind.default.word}
                    for kind in check.findings
                },
                "additionalProperties": False,
            },
        }
        properties["approvers"] = {
            "type": "object",
            "description": approvers.get("description", ""),
            "properties": {kind.code: {"$ref": "#/$defs/Approvers"} for kind in check.findings},
            "additionalProperties": False,
        }
        options.append({**step, "properties": properties, "title": check.name})
    policy["properties"]["steps"]["items"] = {"oneOf": options}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {
        "mailguard.yaml": {"$schema": dialect, **settings},
        "policy.yaml": {"$schema": dialect, **policy},
    }


def first_paragraph(described: type) -> str:
    """A docstring's first paragraph, on one line."""
    return " ".join((described.__doc__ or "").strip().split("\n\n")[0].split())
