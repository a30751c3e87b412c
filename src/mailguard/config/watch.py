"""The configuration in force: one reference, swapped whole, and the watch over its files.

Owns when a new configuration replaces the old and how that is told. A configuration with errors is
refused and the old one stays. Must not know who reads it: a message takes `snapshot` once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path, PurePath
from typing import Any

import structlog
from watchfiles import Change, awatch

from mailguard import metrics
from mailguard.config.changes import restarts, summary
from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.load import Loaded, load
from mailguard.core.decision.policy import Check
from mailguard.pipeline.snapshot import Snapshot

DEBOUNCE = 400  # milliseconds: an editor's save is several changes
_SUFFIXES = (".yaml", ".csv", ".txt")
_log = structlog.get_logger("mailguard.config")


class Live:
    """The configuration in force. Readers take `loaded` or `snapshot` once and keep what they got.

    Settings that need a restart are in `loaded.settings` as soon as they are saved; whoever wired
    itself with the first ones keeps them, and the log says so.
    """

    def __init__(self, loaded: Loaded, *, checks: Sequence[Check] | None = None) -> None:
        self._loaded = loaded
        self._checks = checks
        self._reloading = asyncio.Lock()
        metrics.RELOADED_AT.set_to_current_time()

    @property
    def loaded(self) -> Loaded:
        return self._loaded

    @property
    def snapshot(self) -> Snapshot:
        return self._loaded.snapshot

    async def reload(self) -> tuple[ConfigError, ...]:
        """Read the directory again; put it in force, or return the errors and keep the old.

        Reads in a thread, one reload at a time. Never raises for what the files say.
        """
        async with self._reloading:
            old = self._loaded
            try:
                new = await asyncio.to_thread(
                    load, old.directory, checks=self._checks, create_keys=True
                )
                await asyncio.to_thread(new.snapshot.directory.prepare_names)
            except ConfigErrors as wrong:
                metrics.RELOADS.labels("refused").inc()
                for error in wrong.errors[:20]:
                    _log.error("configuration.error", error=str(error))
                _log.error("configuration.refused", errors=len(wrong.errors))
                return wrong.errors
            except Exception:  # noqa: BLE001 - a bug here must not end the watch, nor the server
                metrics.RELOADS.labels("failed").inc()
                _log.exception("configuration.failed")
                problem = "could not be read: see the log"
                return (ConfigError(str(old.directory), 1, 1, "", problem),)
            self._loaded = new
            metrics.RELOADS.labels("accepted").inc()
            metrics.RELOADED_AT.set_to_current_time()
            _log.info(
                "configuration.reloaded",
                digest=new.snapshot.digest[:12],
                changes=await asyncio.to_thread(summary, old, new),
                warnings=[str(warning) for warning in new.warnings],
            )
            later = restarts(old.settings, new.settings)
            if later:
                _log.warning("configuration.restart_needed", settings=later)
            return ()


def concerns(directory: Path, state: Path, changed: str) -> bool:
    """Whether a changed file is part of the configuration: not an editor's draft, not our state."""
    path = PurePath(changed)
    if not path.is_relative_to(directory):
        return False
    if path.is_relative_to(state) and not directory.is_relative_to(state):
        return False
    if "..data" in path.parts:  # how Kubernetes swaps a mounted configuration
        return True
    if any(part.startswith(".") for part in path.relative_to(directory).parts):
        return False
    return path.suffix in _SUFFIXES and not path.name.startswith("#")


def watch(
    directory: Path,
    state: Path,
    changed: Callable[[], Awaitable[object]],
    stop: asyncio.Event | None = None,
) -> Coroutine[Any, Any, None]:
    """Call `changed` after files below `directory` were saved, until `stop` or cancellation."""
    return _watch(directory.resolve(), state.resolve(), changed, stop)


async def _watch(
    directory: Path,
    state: Path,
    changed: Callable[[], Awaitable[object]],
    stop: asyncio.Event | None,
) -> None:
    def wanted(_change: Change, path: str) -> bool:
        return concerns(directory, state, path)

    async for _changes in awatch(
        directory, watch_filter=wanted, debounce=DEBOUNCE, stop_event=stop, recursive=True
    ):
        await changed()
