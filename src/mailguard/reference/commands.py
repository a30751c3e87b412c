"""Every command as data, for the reference page. Must not know how a page is written."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or an option."""

    name: str  # "--config, -c", or "FILE" for an argument
    form: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the tree's leaves."""

    name: str  # "mailguard quarantine list"
    usage: str
    help: str  # paragraphs; an indented one is an example
    parameters: tuple[Parameter, ...]


def commands() -> Iterator[Command]:
    """All commands, in the order of `--help`."""
    from typer.main import get_command

    from mailguard.cli.root import application

    yield from _walk(get_command(application), "mailguard")


def _walk(command: Any, name: str) -> Iterator[Command]:
    below = getattr(command, "commands", None)
    if below is not None:
        for word, child in below.items():
            yield from _walk(child, f"{name} {word}")
        return
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in shown if not p.opts[0].startswith("-")]
    usage = " ".join((name, "[OPTIONS]", *(_argument(p) for p in arguments)))
    text = inspect.cleandoc(command.help or "")
    yield Command(name, usage, text, tuple(map(_parameter, shown)))


def _argument(parameter: Any) -> str:
    word = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return word if parameter.required else f"[{word}]"


def _parameter(parameter: Any) -> Parameter:
    option = parameter.opts[0].startswith("-")
    forms: Sequence[str] = (*parameter.opts, *parameter.secondary_opts)
    return Parameter(
        ", ".join(forms) if option else parameter.name.upper(),
        "switch" if getattr(parameter, "is_flag", False) else _form(parameter),
        _default(parameter),
        parameter.help or "",
    )


_FORMS = {"str": "text", "int": "a whole number", "float": "a number", "Path": "a path"}


def _form(parameter: Any) -> str:
    kind = str(getattr(parameter.type_descriptor.annotation, "__name__", ""))
    many = parameter.nargs == -1 or parameter.multiple or kind == "list"
    return ("several: " if many else "") + _FORMS.get(kind, "text")


def _default(parameter: Any) -> str:
    if getattr(parameter, "prompt", None):
        return "asked for"
    if parameter.required:
        return "**required**"
    told = []
    if parameter.secondary_opts and isinstance(parameter.default, bool):
        told.append(f"`{(parameter.opts if parameter.default else parameter.secondary_opts)[0]}`")
    if not getattr(parameter, "is_flag", False) and parameter.default not in (None, "", [], ()):
        told.append(f"`{parameter.default}`")
    if getattr(parameter, "envvar", None):
        told.append(f"or ${parameter.envvar}")
    return ", ".join(told)
