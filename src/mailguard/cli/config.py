"""`mailguard config`: is it right, what does it say, what may it say."""

from __future__ import annotations

from pathlib import Path

import typer

from mailguard.cli.loading import load_or_exit
from mailguard.terminal import ConfigOption, JsonOption, print_json, print_table

commands = typer.Typer(
    name="config", help="Check and show the configuration.", no_args_is_help=True
)


@commands.command("check")
def check(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """Load everything as `serve` would; exit 2 with every error's file:line:column."""
    loaded = load_or_exit(config)
    directory = loaded.snapshot.directory
    counted = {
        "digest": loaded.snapshot.digest,
        "listeners": len(loaded.settings.listeners),
        "steps": len(loaded.snapshot.policy.steps),
        "people": len(directory.people),
        "sites": len(directory.sites),
        "groups": len(directory.groups),
        "accounts": len(directory.accounts),
        "unblocked": len(loaded.snapshot.unblocked),
        "warnings": [str(w) for w in loaded.warnings],
    }
    if as_json:
        print_json(counted)
        return
    typer.echo(
        f"{config}: good. {counted['steps']} steps, {counted['people']} people at "
        f"{counted['sites']} sites, {counted['groups']} groups, {counted['accounts']} accounts, "
        f"{counted['unblocked']} unblocked addresses."
    )


@commands.command("show")
def show(config: ConfigOption = Path("config"), as_json: JsonOption = False) -> None:
    """The settings in full, defaults included, and the policy as it is understood."""
    loaded = load_or_exit(config)
    policy = loaded.snapshot.policy
    if as_json:
        steps = [
            {
                "check": s.check.name,
                "mode": s.mode.value,
                "on_error": s.on_error.word,
                "on_finding": {code: d.word for code, d in s.on_finding.items()},
                "settings": s.settings.model_dump(mode="json"),
            }
            for s in policy.steps
        ]
        print_json({"settings": loaded.settings.model_dump(mode="json"), "policy": steps})
        return
    rows = [
        (s.check.name, s.mode.value, kind.code, s.on_finding[kind.code].word, ", ".join(kind.rules))
        for s in policy.steps
        for kind in s.check.findings
    ]
    print_table("Policy", ("Check", "Mode", "Finding", "Disposition", "Rules"), rows)
    flat = _flat(loaded.settings.model_dump(mode="json"), "")
    print_table("Settings", ("Setting", "Value"), flat)


def _flat(value: object, path: str) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [
            row for key, below in value.items() for row in _flat(below, f"{path}.{key}".lstrip("."))
        ]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [row for n, below in enumerate(value) for row in _flat(below, f"{path}[{n}]")]
    return [(path, "" if value is None else value)]


@commands.command("schema")
def schema() -> None:
    """The JSON schemas of mailguard.yaml and policy.yaml, for editors."""
    from mailguard.config.json_schema import schema as schemas

    print_json(schemas())
