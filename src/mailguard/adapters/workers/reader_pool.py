"""Reading messages: at once when small, in killable worker processes when big (HAZARDS: CPU bombs).

Owns the workers and their budgets. A reading that overruns is killed and becomes `Unavailable`:
unscannable, for policy to judge. Must not know what is read for.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from mailguard import metrics
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading
from mailguard.pipeline.off_loop import off_loop_if_large

log = structlog.get_logger("mailguard.reader")

_MOST_HERE = 8_388_608  # octets of a message whose attachments may be looked at here
_START_SECONDS = 30.0  # for a new worker's imports on a busy machine


class PooledReader:
    """Fulfils `ports.Reader`. Workers start when they are needed first, or all at `start`."""

    def __init__(self, workers: int, above: int, seconds: float, memory: int) -> None:
        self._above = above
        self._seconds = seconds
        self._memory = memory
        self._all = [_Worker(memory) for _ in range(workers)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._all:
            self._idle.put_nowait(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="reader")

    async def start(self) -> None:
        """Start every worker, so that the first big message does not wait for one."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._threads, worker.ensure) for worker in self._all)
        )

    async def read(self, message: Message) -> Reading | Unavailable:
        """What a person would see in the message. Never raises for what the message holds."""
        if _octets_of_text(message) <= self._above and len(message.raw) <= _MOST_HERE:
            reading = await off_loop_if_large(len(message.raw), reader.read, message, reader.LIGHT)
            if not reading.files_cut:
                return reading
        worker = await self._idle.get()
        answer = asyncio.get_running_loop().run_in_executor(
            self._threads, worker.read, message.raw, self._seconds
        )
        # When the thread is done, not when we are given up: until then the worker is ours.
        answer.add_done_callback(lambda _: self._idle.put_nowait(worker))
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """End the workers; what they were reading is lost to nobody but its caller."""
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)


def _octets_of_text(message: Message) -> int:
    return sum(
        part.end - part.body_start
        for part in message.parts
        if part.content_type.startswith("text/")
    ) + 200 * len(message.parts)


class Overrun(Exception):
    """A child did not answer and is gone; `error` is what ended it, "" when its time was over."""

    def __init__(self, error: str = "") -> None:
        super().__init__(error)
        self.error = error


class Child:
    """One killable child process and the pipe to it. Used by one thread at a time.

    `work` is what the child runs: it says "ready", and answers each octet string with an object."""

    def __init__(self, work: Callable[[Connection, int], None], memory: int, name: str) -> None:
        self._what = work
        self._memory = memory
        self._name = name
        self._child: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def ensure(self) -> Connection:
        """A live child's pipe. Raises OSError when none can be started."""
        if self._child is not None and self._child.is_alive() and self._pipe is not None:
            return self._pipe
        self.kill()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(
            target=self._what, args=(theirs, self._memory), daemon=True, name=self._name
        )
        child.start()
        theirs.close()
        self._child, self._pipe = child, ours
        if not ours.poll(_START_SECONDS) or ours.recv() != "ready":
            self.kill()
            raise OSError("a reading worker did not start")
        return ours

    def ask(self, question: bytes, seconds: float) -> object:
        """Blocks for at most the budget and a restart. Raises Overrun."""
        error = ""
        try:
            pipe = self.ensure()
            pipe.send_bytes(question)
            if pipe.poll(seconds):
                answer: object = pipe.recv()
                return answer
        except (OSError, EOFError) as trouble:
            error = type(trouble).__name__
        self.kill()
        raise Overrun(error)

    def kill(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._child is not None:
            self._child.kill()
            self._child.join()
            self._child = None


class _Worker(Child):
    """A child that reads messages."""

    def __init__(self, memory: int) -> None:
        super().__init__(_work, memory, "mailguard-reader")

    def read(self, raw: bytes, seconds: float) -> Reading | Unavailable:
        """Blocks for at most the budget and a restart."""
        try:
            answer = self.ask(raw, seconds)
        except Overrun as over:
            reason = f"reading it took more than {seconds:g} seconds"
            if over.error:
                reason = f"the reading worker ended ({over.error})"
            log.warning("reading_killed", reason=reason, size=len(raw))
            metrics.POOL_KILLED.inc()
            return Unavailable(reason)
        return answer if isinstance(answer, Reading) else Unavailable(str(answer))


def _work(pipe: Connection, memory: int) -> None:
    """The child: read what comes, answer, end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    pipe.send("ready")
    while True:
        try:
            raw = pipe.recv_bytes()
        except EOFError:
            return
        try:
            answer: Reading | str = reader.read(mime.parse(raw))
        except MemoryError:
            answer = "reading it took more memory than allowed"
        except Exception as error:  # noqa: BLE001 - the parent must hear of it
            answer = f"reading it failed: {type(error).__name__}: {error}"
        pipe.send(answer)
