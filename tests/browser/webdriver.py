"""A W3C WebDriver client, small: just what the tests of the pages do to Chromium.

Owns chromedriver's process and one session of it. Each `Browser` has a profile of its own that is
empty at the start and removed at the end, and resolves no name but those it is given, so that
nothing it is led to is ever reached.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CONTROL, TAB, ENTER = "\ue009", "\ue004", "\ue007"  # WebDriver 17.4.2
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver 12.2: the name of a reference


class WebDriverError(Exception):
    """What the driver answered instead of a value."""


class Browser:
    """Chromium in a session; a context. `names` are resolved to loopback, all others to nothing."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        chromium = require("chromium", "chromium")
        driver = require("chromedriver", "chromium-driver")
        self._profile = tempfile.mkdtemp(prefix="mailguard-browser-")
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [driver, f"--port={port}", "--log-level=OFF"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        rules = [*(f"MAP {name} 127.0.0.1" for name in names), "MAP * ~NOTFOUND"]
        rules.append("EXCLUDE 127.0.0.1")
        options = {
            "binary": chromium,
            "args": [
                *FLAGS,
                f"--user-data-dir={self._profile}",
                f"--host-resolver-rules={', '.join(rules)}",
                "--window-size=1280,900",
            ],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL"}}
        self._session = ""
        try:
            self._wait_until_ready()
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self.close()
            raise
        self._session = f"/session/{answer['sessionId']}"

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session, the driver and Chromium, and remove the profile."""
        if self._session:
            self._ask("DELETE", self._session)
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, url: str) -> None:
        """Navigate and wait for the page's load event."""
        self._command("POST", "/url", {"url": url})

    def back(self) -> None:
        """The browser's own button."""
        self._command("POST", "/back", {})

    @property
    def url(self) -> str:
        return str(self._command("GET", "/url"))

    @property
    def title(self) -> str:
        return str(self._command("GET", "/title"))

    def run(self, script: str, *arguments: object) -> Any:
        """A function body run in the page; promises are waited for."""
        body = {"script": script, "args": list(arguments)}
        return self._command("POST", "/execute/sync", body)

    def element(self, css: str) -> str:
        """The reference of the first element that a selector finds."""
        found = self._command("POST", "/element", {"using": "css selector", "value": css})
        return str(found[_ELEMENT])

    def click(self, css: str) -> None:
        """A click with the mouse; fails where something lies over the element."""
        self._command("POST", f"/element/{self.element(css)}/click", {})

    def write(self, css: str, text: str) -> None:
        """Type into an element."""
        self._command("POST", f"/element/{self.element(css)}/value", {"text": text})

    def is_displayed(self, css: str) -> bool:
        return bool(self._command("GET", f"/element/{self.element(css)}/displayed"))

    def computed(self, css: str, what: str) -> str:
        """An element's `computedrole` or `computedlabel`, as assistive technology gets it."""
        return str(self._command("GET", f"/element/{self.element(css)}/{what}"))

    def press(self, *keys: str) -> None:
        """Keys held down one after the other and let go in reverse, as for Control and C."""
        down = [{"type": "keyDown", "value": key} for key in keys]
        up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        action = {"type": "key", "id": "keyboard", "actions": [*down, *up]}
        self._command("POST", "/actions", {"actions": [action]})

    def permit(self, name: str, state: str) -> None:
        """Set a permission for the page's origin: granted, denied or prompt (Permissions 9.1)."""
        self._command("POST", "/permissions", {"descriptor": {"name": name}, "state": state})

    def cdp(self, command: str, **parameters: object) -> Any:
        """A command of Chrome's DevTools protocol."""
        return self._command("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def requested(self) -> list[str]:
        """The addresses that Chromium asked for, by whatever means, since the last call. What the
        page's own policy kept it from asking for is left out."""
        asked: dict[str, list[str]] = {}
        for entry in self._command("POST", "/se/log", {"type": "performance"}):
            event = json.loads(entry["message"])["message"]
            parameters = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked.setdefault(parameters["requestId"], []).append(parameters["request"]["url"])
            elif event["method"] == "Network.loadingFailed" and (
                parameters.get("blockedReason") == "csp"
            ):
                asked.pop(parameters["requestId"], None)
        return [url for urls in asked.values() for url in urls]

    def screenshot(self) -> bytes:
        """The viewport as PNG."""
        return base64.b64decode(self._command("GET", "/screenshot"))

    def size(self, width: int, height: int, scale: float = 1, phone: bool = False) -> None:
        """The viewport in CSS pixels. Zoom to 200 % is half the size at scale 2."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )

    def prefer(self, scheme: str) -> None:
        """The colour scheme that the reader prefers: light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.cdp("Emulation.setEmulatedMedia", features=[feature])

    def scripting(self, enabled: bool) -> None:
        """JavaScript on or off for the pages opened from now on."""
        self.cdp("Emulation.setScriptExecutionDisabled", value=not enabled)

    def _wait_until_ready(self) -> None:
        until(self._is_ready, what="chromedriver to answer")

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise WebDriverError("chromedriver ended")
        try:
            return bool(self._ask("GET", "/status")["ready"])
        except OSError:
            return False

    def _command(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._ask(method, self._session + path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message'][:500]}") from error
