"""Programs that the lab starts, and the promise that none of them outlives it.

A demo that leaves an Envoy behind is worse than no demo.  Every child asks the kernel to be killed when the lab's
thread that started it ends (`PR_SET_PDEATHSIG`), so even `kill -9` of the lab leaves nothing running.  An orderly end
is SIGTERM, a grace period, and then SIGKILL.  Start children from the event loop's thread: the kernel ties the promise
to the thread, not to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs between fork and exec, so that it ends with this process; None where the kernel cannot.

    The second look closes the gap in which the parent may have died.
    """
    if _LIBC is None:
        return None
    parent = os.getpid()

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def free_port() -> int:
    """A loopback port of the kernel's choice, for programs that must keep the same one over restarts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Process:
    """One started program: what it is called in messages, and its handle."""

    name: str
    handle: asyncio.subprocess.Process
    log: Path | None = None
    resources: list[IO[bytes]] = field(default_factory=list, repr=False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.handle.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.handle.returncode is None

    async def wait(self) -> int:
        """Wait for its end and return the status (negative: the signal that ended it)."""
        status = await self.handle.wait()
        self._release()
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.handle.send_signal(number)

    async def stop(self, grace: float = 3.0) -> int:
        """End it: SIGTERM, then SIGKILL once `grace` seconds are over; 0 kills at once.  Returns the status."""
        if grace > 0:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self.wait(), grace)
        self.send(signal.SIGKILL)
        return await self.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for error messages."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _release(self) -> None:
        for resource in self.resources:
            resource.close()
        self.resources.clear()


async def start(
    name: str,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    pipe: bool = False,
) -> Process:
    """Start a program that ends with this process.

    Standard error (and standard output, unless `pipe` hands that to the caller) is appended to `log`, or discarded.
    `environment` adds to this process's own.  Raises FileNotFoundError, naming the program, if there is none.
    """
    resources: list[IO[bytes]] = []
    sink: IO[bytes] | int = asyncio.subprocess.DEVNULL
    if log is not None:
        sink = log.open("ab")
        resources.append(sink)
    try:
        handle = await asyncio.create_subprocess_exec(
            *(str(argument) for argument in arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if pipe else sink,
            stderr=sink,
            env={**os.environ, **(environment or {})},
            preexec_fn=die_with_parent(),
            start_new_session=True,
        )
    except FileNotFoundError as error:
        for resource in resources:
            resource.close()
        raise FileNotFoundError(f"{name}: cannot start {arguments[0]}: no such program") from error
    return Process(name, handle, log, resources)
