"""What all pages have in common: their templates, security headers and static files.

Owns how a page becomes octets. A template shows text through `safe_text.html` alone, unless it says
`exact`; it asks for nothing that it was not given. All are read and compiled once, so that
rendering touches no disk. Must not know what a page is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailguard.core.mail import safe_text

_KINDS: Final = {".css": "text/css", ".js": "text/javascript"}


def headers(
    *, referrer: str = "no-referrer", form: bool = False, script: bool = False
) -> Mapping[str, str]:
    """What every page is sent with: it loads nothing but its own style sheets (and, with `script`,
    its own script), stands in no frame, is kept nowhere, posts nowhere (with `form`, to its own
    origin), and tells nobody its address, which is a key."""
    policy = (
        "default-src 'none'",
        "style-src 'self'",
        *(("script-src 'self'",) if script else ()),
        "base-uri 'none'",
        "form-action 'self'" if form else "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return MappingProxyType(
        {
            "Content-Security-Policy": "; ".join(policy),
            "Referrer-Policy": referrer,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex, nofollow",
        }
    )


def rendered(template: str, **values: Any) -> str:
    """A page's HTML. Raises jinja2.UndefinedError for a value that the template asks for and that
    is not given."""
    return _templates().get_template(template).render(**values)


def page(template: str, status: int, fields: Mapping[str, str], **values: Any) -> Response:
    """A page as it is answered."""
    return HTMLResponse(rendered(template, **values), status, fields)


def static_files(under: str, names: tuple[str, ...], fields: Mapping[str, str]) -> Route:
    """GET and HEAD of these files of `static/`, below a page's own address. Compiles the templates
    as well: whoever serves pages calls this at the start."""
    _templates()
    folder = files("mailguard.frontends.web") / "static"
    octets = {name: (folder / name).read_bytes() for name in names}
    kept = {**fields, "Cache-Control": "public, max-age=3600"}

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in octets:
            return Response(status_code=404, headers=fields)
        return Response(octets[name], 200, kept, _KINDS[name[name.rindex(".") :]])

    return Route(f"{under}/static/{{name}}", file, methods=["GET"])


class _Exact(str):
    """Shown character for character; escaped like everything."""

    __slots__ = ()


class _Html(str):
    """Text that is HTML already, as template engines agreed to ask for it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def _shown(value: Any) -> Any:
    """What a template writes for a value: the one way of strangers' words into a page."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value  # a number; what a macro or a block has rendered; the undefined, which raises
    return _Html(escape(value) if isinstance(value, _Exact) else safe_text.html(value))


@cache
def _templates() -> Environment:
    folder = files("mailguard.frontends.web") / "templates"
    sources = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,  # whatever `finalize` should ever leave
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters["exact"] = _Exact
    environment.filters["named"] = safe_text.named
    for name in sources:
        environment.get_template(name)
    return environment
