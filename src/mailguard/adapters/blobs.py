"""The blob store: raw messages as zstd files named by their SHA-256, with envelopes beside them.

Owns the files below one directory and what "durable" means for them (R51). Must not know the
database, nor what a blob is kept for.

    ab/cd/abcd….zst               the message, written once
    ab/cd/abcd….envelope.jsonl    one JSON line for each transaction that brought it
    incoming/                     files on their way; what a crash leaves is swept at start

One thread writes. What waits is written together: every file, then every fsync, then each
directory's fsync once. `store` returns after the last of them.
"""

# ruff: noqa: PTH103, PTH105, PTH108, PTH116, PTH120
# Paths are text where messages are written: pathlib took a third of the CPU of a store.

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from mailguard.adapters import envelopes
from mailguard.pipeline.ports import StoreError

_BATCH = 64  # stores written together at most
_BATCH_OCTETS = 8_388_608
_LARGE = 524_288  # octets from which a blob is compressed off the writing thread
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SWEEP_AFTER = 3_600.0  # seconds until a file in incoming/ is surely nobody's
_FILE, _DIRECTORY = 0o600, 0o700  # mail is for nobody else's eyes


@dataclass(slots=True)
class _Job:
    raw: bytes
    line: bytes  # of the envelope; empty for none
    future: asyncio.Future[str]
    loop: asyncio.AbstractEventLoop
    digest: str = ""
    blob: str = ""  # its path; text, since pathlib would cost more than the digest
    frame: bytes | None = None  # compressed already
    error: StoreError | None = None
    touched: set[str] = field(default_factory=set)  # directories to fsync


class Blobs:
    """The Archive port on a local file system. `level` is zstd's."""

    def __init__(self, directory: Path, level: int = 3) -> None:
        self._directory = directory
        self._level = level
        self._local = threading.local()
        self._names = itertools.count()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()
        self._closed = False
        self._known: set[str] = set()  # directories whose own entry is surely durable

    async def store(self, raw: bytes, envelope: Mapping[str, Any] | None) -> str:
        """Write the blob and a line of its envelope, durable when this returns; the digest.

        An envelope names its transaction as `id`, beside `received_at`, `listener` and what
        `envelope_json` gives. None writes no line: a message of our own. Raises StoreError.
        """
        loop = asyncio.get_running_loop()
        line = b"" if envelope is None else envelopes.encode(envelope)
        job = _Job(raw, line, loop.create_future(), loop)
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
        return f"{self._directory}/{digest[:2]}/{digest[2:4]}/{digest}.zst"

    def envelopes(self, digest: str) -> list[dict[str, Any]]:
        """Every envelope that stands beside a blob, oldest first; torn lines are left out."""
        try:
            return envelopes.read(Path(envelopes.beside(str(self.path(digest)))))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _trouble(error) from error

    def iter_envelopes(self, since: float = 0.0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Digest and envelope of every line in files changed since then (seconds since the
        epoch). Only directories that changed since are looked into."""
        for name in envelopes.changed(self._directory, since):
            with suppress(FileNotFoundError):
                for envelope in envelopes.read(name):
                    yield name.name.partition(".")[0], envelope

    @property
    def reconciled_at(self) -> float:
        """When everything older was seen to be in the ledger; 0 if never."""
        try:
            return float((self._directory / "reconciled").read_text())
        except (OSError, ValueError):
            return 0.0

    def mark_reconciled(self, at: float) -> None:
        """Remember that. Losing it costs only a longer look next time."""
        with suppress(OSError):
            (self._directory / "reconciled").write_text(repr(at))

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
                late.error = StoreError("the archive is closed")
                _answer([late])

    def _begin(self) -> None:
        with self._start:
            if self._thread is None and not self._closed:
                self._sweep()
                self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
                self._thread.start()

    def _sweep(self) -> None:
        before = time.time() - _SWEEP_AFTER
        with suppress(OSError):
            for left in (self._directory / "incoming").iterdir():
                if left.stat().st_mtime < before:
                    left.unlink()

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
            self._write(jobs)
            _answer(jobs)

    def _write(self, jobs: list[_Job]) -> None:
        """Make every job durable, or give it its error."""
        written: dict[str, int] = {}  # blobs of this batch: descriptors not yet synchronised
        try:
            for job in jobs:
                try:
                    self._prepare(job)
                    self._write_blob(job, written)
                except (OSError, zstandard.ZstdError, MemoryError) as error:
                    job.error = _trouble(error)
            self._publish(jobs, written)
        finally:
            for descriptor in written.values():
                os.close(descriptor)
        for job in jobs:
            if job.error is None and job.line:
                try:
                    envelopes.append(envelopes.beside(job.blob), job.line)
                except OSError as error:
                    job.error = _trouble(error)
        self._synchronise_directories(jobs)

    def _prepare(self, job: _Job) -> None:
        if not job.digest:
            job.digest = hashlib.sha256(job.raw).hexdigest()
            job.blob = self._blob(job.digest)
            if len(job.raw) >= _LARGE and not _is_stored(job.blob):
                job.frame = self._compress(job.raw)

    def _compress(self, raw: bytes) -> bytes:
        compressor = getattr(self._local, "compressor", None)
        if compressor is None:  # one belongs to one thread
            compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
            self._local.compressor = compressor
        frame: bytes = compressor.compress(raw)
        return frame

    def _write_blob(self, job: _Job, written: dict[str, int]) -> None:
        directory = os.path.dirname(job.blob)
        if directory not in self._known:
            self._make(directory, job)
        # Another process may have put it there a moment ago: its entry is not durable before
        # the directory is, so that is synchronised in any case.
        job.touched.add(directory)
        if job.digest in written or _is_stored(job.blob):
            return
        temporary = self._temporary(job.digest)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE)
        try:
            envelopes.write_all(descriptor, job.frame or self._compress(job.raw))
        except OSError:
            os.close(descriptor)
            os.unlink(temporary)
            raise
        written[job.digest] = descriptor

    def _publish(self, jobs: list[_Job], written: dict[str, int]) -> None:
        failed: dict[str, StoreError] = {}
        for digest, descriptor in written.items():
            temporary = self._temporary(digest)
            try:
                os.fsync(descriptor)
                os.replace(temporary, self._blob(digest))
            except OSError as error:
                with suppress(OSError):
                    os.unlink(temporary)
                failed[digest] = _trouble(error)
        for job in jobs:
            job.error = job.error or failed.get(job.digest)

    def _make(self, directory: str, job: _Job) -> None:
        """Make a directory and the one above it; those whose entries may not be durable yet are
        noted."""
        os.makedirs(f"{self._directory}/incoming", mode=_DIRECTORY, exist_ok=True)
        os.makedirs(directory, mode=_DIRECTORY, exist_ok=True)
        job.touched.update((os.path.dirname(directory), str(self._directory)))
        job.touched.add(os.path.dirname(self._directory) or ".")

    def _temporary(self, name: str) -> str:
        return f"{self._directory}/incoming/{name}.{os.getpid()}"

    def _synchronise_directories(self, jobs: list[_Job]) -> None:
        failed: dict[str, StoreError] = {}
        for directory in {one for job in jobs if job.error is None for one in job.touched}:
            try:
                descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            except OSError as error:
                failed[directory] = _trouble(error)
        for job in jobs:
            if job.error is None:
                trouble = [failed[one] for one in job.touched if one in failed]
                if trouble:
                    job.error = trouble[0]
                else:
                    self._known.add(os.path.dirname(job.blob))

    def _try_out(self) -> None:
        name = self._temporary(f"ready.{next(self._names)}")
        try:
            os.makedirs(f"{self._directory}/incoming", mode=_DIRECTORY, exist_ok=True)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, _FILE)
            try:
                envelopes.write_all(descriptor, bytes(4_096))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                os.unlink(name)
        except OSError as error:
            raise _trouble(error) from error


def _answer(jobs: list[_Job]) -> None:
    for loop in {job.loop for job in jobs}:
        theirs = [job for job in jobs if job.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller was cancelled
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.digest)


def _is_stored(blob: str) -> bool:
    try:
        return os.stat(blob).st_size > 0
    except FileNotFoundError:
        return False


def _trouble(error: BaseException) -> StoreError:
    named = StoreError(f"archive: {error}", full=getattr(error, "errno", None) in _FULL)
    named.__cause__ = error
    return named
