"""From a Document to a pydantic model, or errors at the places of the values.

Owns the wording of pydantic's complaints. Must not know any particular model.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.yaml import Document, Key
from mailguard.core.mail.safe_text import quoted

Model = TypeVar("Model", bound=BaseModel)


def validate(
    model: type[Model],
    value: Any,
    document: Document,
    at: Key = (),
    context: Mapping[str, Any] | None = None,
) -> Model:
    """Make a model of a value that stands at `at` in a document. Raises ConfigErrors.

    Validated as JSON, strictly: text never becomes a number or a boolean.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        problem = f"{_shown(value)} does not fit here"
        raise ConfigErrors([document.error(at, problem, kind_of(model))])
    try:
        return model.model_validate_json(
            json.dumps(value), strict=True, context=dict(context or {})
        )
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigErrors(
            _explain(model, detail, document, at) for detail in details if not _echo(detail)
        ) from None


def _echo(detail: ErrorDetails) -> bool:
    """A list that is "too short" only since an element of it was refused."""
    given = detail["input"]
    return (
        detail["type"] == "too_short"
        and isinstance(given, (list, dict))
        and len(given) >= detail.get("ctx", {}).get("min_length", 0)
    )


def suggest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, as a sentence's end; may be empty."""
    close = difflib.get_close_matches(word.lower(), list(known), 1, 0.65)
    return f", did you mean {quoted(close[0])}?" if close else ""


def _explain(
    model: type[BaseModel], detail: ErrorDetails, document: Document, at: Key
) -> ConfigError:
    location = _known(detail["loc"], model)
    path = (*at, *location)
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    holder = _type_at(model, location[:-1])
    if kind == "missing":
        field = _type_at(model, location)
        return document.error(path, "is missing", kind_of(field))
    if kind == "extra_forbidden":
        known = list(holder.model_fields) if _is_model(holder) else []
        problem = f"is not known{suggest(str(location[-1]), known)}"
        return document.error(path, problem, ", ".join(known) or "nothing here", key=True)
    if kind in ("value_error", "assertion_error"):
        problem, _, allowed = str(context.get("error", detail["msg"])).partition("; allowed: ")
        return document.error(path, problem, allowed)
    if kind in ("enum", "literal_error"):
        options = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        close = suggest(str(given), options.split(", "))
        return document.error(path, f"{quoted(given)} is not one of the values{close}", options)
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        words = pattern.removeprefix("^(").removesuffix(")$").split("|")
        if all(word.replace("_", "").isalnum() for word in words):
            close = suggest(str(given), words)
            problem = f"{quoted(given)} is not one of the values{close}"
            return document.error(path, problem, ", ".join(words))
        return document.error(path, f"{quoted(given)} has another form", pattern)
    bounds = {
        "greater_than": ("is too small", "more than {gt}"),
        "greater_than_equal": ("is too small", "{ge} or more"),
        "less_than": ("is too large", "less than {lt}"),
        "less_than_equal": ("is too large", "{le} or less"),
        "too_short": ("is too short", "at least {min_length}"),
        "too_long": ("is too long", "at most {max_length}"),
        "string_too_short": ("is too short", "at least {min_length} characters"),
        "string_too_long": ("is too long", "at most {max_length} characters"),
    }
    if kind in bounds:
        problem, allowed = bounds[kind]
        shown = "" if isinstance(given, (list, tuple, dict)) else f"{quoted(given)} "
        return document.error(path, f"{shown}{problem}", allowed.format(**context))
    if given is None:
        return document.error(path, "has no value", kind_of(_type_at(model, location)))
    wanted = kind_of(_type_at(model, location))
    return document.error(path, f"{_shown(given)} does not fit here", wanted or detail["msg"])


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    return quoted(value)


def _known(location: Iterable[str | int], model: type[BaseModel]) -> Key:
    """pydantic's location without the steps it adds for unions and validators."""
    path: Key = ()
    for step in location:
        if isinstance(step, str) and _type_at(model, path) is not None:
            here = _type_at(model, path)
            if not _is_model(here) and typing.get_origin(here) not in (dict, Mapping):
                continue
        path = (*path, step)
    return path


def _type_at(model: Any, path: Key) -> Any:
    """The annotation of what stands at a path of a model; None where it is not known."""
    here: Any = model
    for step in path:
        here = bare(here)
        if _is_model(here):
            field = here.model_fields.get(str(step))
            here = field.annotation if field else None
        elif typing.get_origin(here) in (tuple, list, frozenset):
            here = typing.get_args(here)[0]
        elif typing.get_args(here):
            here = typing.get_args(here)[-1]
        else:
            return None
    return bare(here)


def element(annotation: Any) -> Any:
    """What a list's annotation says of its elements; None for anything but a list."""
    if typing.get_origin(annotation) in (tuple, list, frozenset):
        return bare(typing.get_args(annotation)[0])
    return None


def bare(annotation: Any) -> Any:
    """An annotation without Annotated and Optional."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
            kept = [a for a in typing.get_args(annotation) if a is not type(None)]
            if len(kept) != 1:
                return annotation
            annotation = kept[0]
        else:
            return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def kind_of(annotation: Any) -> str:
    """What fits an annotation, in words."""
    annotation = bare(annotation)
    if typing.get_origin(annotation) in (tuple, list, frozenset):
        inner = bare(typing.get_args(annotation)[0])
        if _is_model(inner) and inner.__name__ != "Address":
            return f"a list of mappings with {', '.join(inner.model_fields)}"
        return f"a list of {kind_of(inner)}"
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(str(option) for option in typing.get_args(annotation))
    if typing.get_origin(annotation) is dict:
        return "a mapping"
    if not isinstance(annotation, type):
        return ""
    if issubclass(annotation, Enum):
        return ", ".join(str(option.value) for option in annotation)
    if annotation.__name__ == "Address":
        return "host:port"
    if issubclass(annotation, BaseModel):
        return f"a mapping with {', '.join(annotation.model_fields)}"
    plain = {bool: "true, false", int: "a whole number", float: "a number", str: "text"}
    return plain.get(annotation, "a path" if annotation.__name__ == "Path" else "a mapping")
