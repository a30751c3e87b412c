"""The blob store: raw messages as zstd files named by their SHA-256, their envelopes in them.

Owns the files below one directory and what "durable" means for them (R51). Must not know the
database, nor what a blob is kept for.

    ab/abcd….zst    the message, written once; behind it an envelope for each transaction that
                    brought it (`envelopes` has the form)
    arrivals/       which blobs got an envelope lately (`arrivals`)
    incoming/       files on their way; what a crash leaves is swept at start

One thread writes. What waits is written together: every file, then every fsync, then every rename,
then each directory's fsync once. `store` returns after the last of them. Whoever puts a file into a
directory, adds to one or takes one away holds the directory's flock: processes may share a store.
"""

# ruff: noqa: PTH102, PTH103, PTH108, PTH116, PTH120, PTH208
# Paths are text where messages are written: pathlib took a third of the CPU of a store.

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import itertools
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import zstandard

from mailguard.adapters.archive import durable, envelopes
from mailguard.adapters.archive.arrivals import KEPT, Arrivals
from mailguard.adapters.archive.incoming import Incoming, is_stored
from mailguard.pipeline.ports import StoreError

log = structlog.get_logger("mailguard.blobs")

_BATCH = 64  # stores written together at most
_BATCH_OCTETS = 8_388_608
_LARGE = 524_288  # octets from which a blob is compressed off the writing thread
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SWEEP_AFTER = 3_600.0  # seconds until a file in incoming/ is surely nobody's
_FILE, _DIRECTORY = 0o600, 0o700  # mail is for nobody else's eyes
_FAN = tuple(f"{number:02x}" for number in range(256))


@dataclass(slots=True)
class _Job:
    raw: bytes
    envelope: bytes  # its frame; empty for none
    future: asyncio.Future[str]
    loop: asyncio.AbstractEventLoop
    digest: str = ""
    frame: bytes | None = None  # compressed already


class Blobs:
    """The Archive port on a local file system. `level` is zstd's."""

    def __init__(self, directory: Path, level: int = 3) -> None:
        self._directory = str(directory)
        self._level = level
        self._arrivals = Arrivals(f"{directory}/arrivals")
        self._ours = secrets.token_hex(8)  # no process id: two containers may have the same
        self._local = threading.local()
        self._names = itertools.count()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._closed = False
        self._is_laid_out = False

    async def store(self, raw: bytes, envelope: Mapping[str, Any] | None) -> str:
        """Write the blob and its envelope, durable when this returns; the digest.

        An envelope names its transaction as `id`, beside `received_at`, `listener` and what
        `envelope_json` gives. None writes none: a message of our own. Raises StoreError.
        """
        loop = asyncio.get_running_loop()
        frame = b"" if envelope is None else envelopes.encode(envelope)
        job = _Job(raw, frame, loop.create_future(), loop)
        if len(raw) >= _LARGE:
            await asyncio.to_thread(self._prepare, job)
        if self._closed:
            raise StoreError("the archive is closed")
        if self._thread is None:
            self._begin()
        self._jobs.put(job)
        return await job.future

    async def fetch(self, digest: str) -> bytes:
        """The bytes exactly as stored. Raises KeyError, or StoreError when they are damaged."""
        return await asyncio.to_thread(self.read, digest)

    def read(self, digest: str) -> bytes:
        """`fetch` for a synchronous caller."""
        try:
            frame = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise KeyError(digest) from None
        except OSError as error:
            raise _trouble(error) from error
        try:
            raw = zstandard.ZstdDecompressor().decompress(frame)
        except zstandard.ZstdError as error:
            raise StoreError(f"blob {digest} is damaged: {error}") from error
        if hashlib.sha256(raw).hexdigest() != digest:
            raise StoreError(f"blob {digest} is damaged: its digest differs")
        return raw

    def path(self, digest: str) -> Path:
        """Where a blob lies. Raises KeyError for what is no digest."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise KeyError(digest)
        return Path(self._blob(digest))

    def _blob(self, digest: str) -> str:
        return f"{self._directory}/{digest[:2]}/{digest}.zst"

    def envelopes(self, digest: str) -> list[dict[str, Any]]:
        """Every envelope that stands with a blob, oldest first; what is torn is left out. Raises
        StoreError when the message is damaged so that they cannot be found."""
        try:
            return envelopes.read(self.path(digest))
        except FileNotFoundError:
            return []
        except (OSError, zstandard.ZstdError) as error:
            raise _trouble(error) from error

    def iter_envelopes(self, since: float = 0.0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Digest and envelope of every blob changed since then (seconds since the epoch). Every
        blob is looked at only when that is longer ago than the arrivals go back."""
        lately = since >= time.time() - KEPT
        for digest in self._arrivals.since(since) if lately else self._digests():
            try:
                if os.stat(self._blob(digest)).st_mtime < since:
                    continue
                found = self.envelopes(digest)
            except (FileNotFoundError, KeyError):  # noted and not written; or no blob at all
                continue
            except (OSError, StoreError) as error:  # the others must be seen all the same
                log.error("blob_damaged", digest=digest, reason=str(error))
                continue
            for envelope in found:
                yield digest, envelope

    def _digests(self) -> Iterator[str]:
        for two in _FAN:
            with suppress(FileNotFoundError), os.scandir(f"{self._directory}/{two}") as entries:
                for entry in entries:
                    yield entry.name.removesuffix(".zst")

    @property
    def reconciled_at(self) -> float:
        """When everything older was seen to be in the ledger; 0 if never."""
        try:
            return float(Path(self._directory, "reconciled").read_text())
        except (OSError, ValueError):
            return 0.0

    def mark_reconciled(self, at: float) -> None:
        """Remember that. Losing it costs only a longer look next time."""
        with suppress(OSError):
            Path(self._directory, "reconciled").write_text(repr(at))

    def size(self, digest: str) -> int:
        """Octets of the message, from the frame's header. Raises KeyError or StoreError."""
        try:
            with self.path(digest).open("rb") as file:
                return zstandard.frame_content_size(file.read(18))
        except FileNotFoundError:
            raise KeyError(digest) from None
        except (OSError, zstandard.ZstdError) as error:
            raise StoreError(f"blob {digest}: {error}") from error

    async def ready(self) -> None:
        """Whether something can be made durable now. Raises StoreError."""
        await asyncio.to_thread(self._try_out)

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._start:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()
        while not self._jobs.empty():  # came in while the thread ended
            late = self._jobs.get()
            if late is not None:
                _answer([late], {late.digest: StoreError("the archive is closed")})

    def _begin(self) -> None:
        with self._start:
            if self._thread is None and not self._closed:
                self._sweep()
                self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
                self._thread.start()

    def _sweep(self) -> None:
        before = time.time() - _SWEEP_AFTER
        with suppress(OSError):
            self._arrivals.sweep()
            with os.scandir(f"{self._directory}/incoming") as entries:
                for left in entries:
                    if left.stat().st_mtime < before:
                        os.unlink(left.path)

    def _run(self) -> None:
        ending = False
        while not ending:
            jobs: list[_Job] = []
            octets = 0
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                octets += len(job.raw)
                if len(jobs) == _BATCH or octets >= _BATCH_OCTETS:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            else:
                ending = True
            _answer(jobs, self._write(jobs))
        self._arrivals.close()

    def _write(self, jobs: list[_Job]) -> dict[str, StoreError]:
        """Make every job durable; the errors, by digest."""
        blobs: dict[str, Incoming] = {}
        for job in jobs:
            self._prepare(job)
            digest = job.digest
            blob = blobs.get(digest)
            if blob is None:
                frame = partial(self._frame, job)
                blob = Incoming(digest, self._blob(digest), self._aside(digest), frame)
                blobs[digest] = blob
            blob.behind += job.envelope
        batch = list(blobs.values())
        directories: dict[str, list[Incoming]] = {}
        for blob in batch:
            directories.setdefault(os.path.dirname(blob.path), []).append(blob)
        errors: dict[str, StoreError] = {}
        try:
            self._together(self._lay_out, batch, errors)
            self._each(Incoming.write, batch, errors)
            self._each(Incoming.synchronise, batch, errors)
            self._together(partial(self._note, batch), batch, errors)
            for directory, theirs in directories.items():
                self._together(partial(self._place, directory, theirs, errors), theirs, errors)
            self._each(Incoming.synchronise, batch, errors)
            # Even where only an envelope was added: another process may have put the file there a
            # moment ago, and its name is not durable before the directory is.
            for directory, theirs in directories.items():
                self._together(partial(durable.synchronise, directory), theirs, errors)
        finally:
            for blob in batch:
                blob.discard()
        return errors

    def _each(
        self, step: Callable[[Incoming], None], batch: list[Incoming], errors: dict[str, StoreError]
    ) -> None:
        """Take a step for each blob that had no error yet; note its error."""
        for blob in batch:
            if blob.digest not in errors:
                self._together(partial(step, blob), [blob], errors)

    def _together(
        self, step: Callable[[], None], batch: list[Incoming], errors: dict[str, StoreError]
    ) -> None:
        """Take one step for all; an error is everybody's who had none yet."""
        try:
            step()
        except (OSError, zstandard.ZstdError, MemoryError) as error:
            if isinstance(error, FileNotFoundError):  # somebody took a directory away
                self._is_laid_out = False
            for blob in batch:
                errors.setdefault(blob.digest, _trouble(error))

    def _lay_out(self) -> None:
        """Make every directory, once, so that no message waits for one."""
        if self._is_laid_out:
            return
        os.makedirs(self._directory, mode=_DIRECTORY, exist_ok=True)
        present = set(os.listdir(self._directory))
        for name in {"incoming", "arrivals", *_FAN} - present:
            with suppress(FileExistsError):
                os.mkdir(f"{self._directory}/{name}", _DIRECTORY)
        # Even if all were there: another process may have made them a moment ago.
        durable.synchronise(self._directory)
        durable.synchronise(os.path.dirname(self._directory) or ".")
        self._is_laid_out = True

    def _prepare(self, job: _Job) -> None:
        if not job.digest:
            job.digest = hashlib.sha256(job.raw).hexdigest()
            if len(job.raw) >= _LARGE and not is_stored(self._blob(job.digest)):
                job.frame = self._compress(job.raw)

    def _compress(self, raw: bytes) -> bytes:
        compressor = getattr(self._local, "compressor", None)
        if compressor is None:  # one belongs to one thread
            compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
            self._local.compressor = compressor
        frame: bytes = compressor.compress(raw)
        return frame

    def _frame(self, job: _Job) -> bytes:
        return job.frame or self._compress(job.raw)

    def _note(self, batch: list[Incoming]) -> None:
        if digests := [blob.digest for blob in batch if blob.behind]:
            self._arrivals.add(digests)

    def _place(self, directory: str, blobs: list[Incoming], errors: dict[str, StoreError]) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for a rename, not for an fsync
            self._each(Incoming.place, blobs, errors)
        finally:
            os.close(descriptor)

    def _aside(self, name: str) -> str:
        return f"{self._directory}/incoming/{name}.{self._ours}"

    def _try_out(self) -> None:
        name = self._aside(f"ready.{next(self._names)}")
        try:
            self._lay_out()
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, _FILE)
            try:
                durable.write_all(descriptor, bytes(4_096))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                os.unlink(name)
        except OSError as error:
            raise _trouble(error) from error


def _answer(jobs: list[_Job], errors: Mapping[str, StoreError]) -> None:
    for loop in {job.loop for job in jobs}:
        theirs = [job for job in jobs if job.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, theirs, errors)


def _resolve(jobs: list[_Job], errors: Mapping[str, StoreError]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled
            continue
        if job.digest in errors:
            job.future.set_exception(errors[job.digest])
        else:
            job.future.set_result(job.digest)


def _trouble(error: BaseException) -> StoreError:
    named = StoreError(f"archive: {error}", full=getattr(error, "errno", None) in _FULL)
    named.__cause__ = error
    return named
