"""Secrets by name: read from where the configuration says, when they are used, and hidden in all that is shown."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apsis.domain.errors import NotFound, SecretError
from apsis.lib import suggest
from apsis.lib.clock import Clock
from apsis.lib.mask import Values

KEPT_S: Final = 5.0
"""How long a value is used again: a burst of a thousand starts reads it once, a rotated one is in use soon."""
COMMAND_WITHIN_S: Final = 10.0
READERS: Final = 4
"""Secrets that are read at the same time, each by one thread."""
LIMIT: Final = 64 << 10
"""Bytes of a value: a certificate chain fits in, and all variables of a program must fit into the kernel's limits."""


@dataclass(frozen=True, slots=True)
class FromFile:
    """The content of a file."""

    path: Path

    def __str__(self) -> str:
        return f"file {self.path}"

    def read(self) -> bytes:
        """Return it; raise OSError."""
        with self.path.open("rb") as file:
            return file.read(LIMIT + 1)


@dataclass(frozen=True, slots=True)
class FromEnv:
    """A variable in the server's own environment."""

    variable: str

    def __str__(self) -> str:
        return f"variable {self.variable}"

    def read(self) -> bytes:
        """Return it; raise OSError."""
        value = os.environb.get(os.fsencode(self.variable))
        if value is None:
            raise OSError(None, "is not set in the server's environment")
        return value


@dataclass(frozen=True, slots=True)
class FromCommand:
    """What a command prints, run by the server as itself."""

    argv: tuple[str, ...]

    def __str__(self) -> str:
        return f"command {self.argv[0]}"

    def read(self) -> bytes:
        """Return it; raise OSError."""
        with subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may say more than we may tell
            start_new_session=True,
        ) as process:
            late = threading.Event()
            watch = threading.Timer(COMMAND_WITHIN_S, _end, (process, late))
            watch.start()
            try:
                assert process.stdout is not None  # noqa: S101 - asked for above
                data = process.stdout.read(LIMIT + 1)
                if len(data) > LIMIT:
                    _kill(process)
                code = process.wait()
            finally:
                watch.cancel()
        if late.is_set():
            raise OSError(None, f"does not end within {COMMAND_WITHIN_S:g} s")
        if code and len(data) <= LIMIT:
            raise OSError(None, f"killed by signal {-code}" if code < 0 else f"exit code {code}")
        return data


Source = FromFile | FromEnv | FromCommand


class ConfiguredSecrets:
    """The secrets of one configuration; see `engine.ports.Secrets`."""

    def __init__(self, sources: Mapping[str, Source], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._given = Values()
        # Of their own: commands that hang must not keep file reads and DNS from the other threads.
        self._threads = ThreadPoolExecutor(READERS, "secret")
        self._locks: dict[str, asyncio.Lock] = {}
        self._recent: dict[str, tuple[float, str]] = {}

    async def value(self, name: str) -> str:
        """Return the value now; raises NotFound for a name that is not configured, SecretError if it does not come."""
        source = self._sources.get(name)
        if source is None:
            raise self._unknown(name)
        async with self._locks.setdefault(name, asyncio.Lock()):
            at, value = self._recent.get(name, (0.0, ""))
            if name not in self._recent or self._clock.monotonic() - at >= KEPT_S:
                value = await asyncio.get_running_loop().run_in_executor(self._threads, _read, name, source)
                self._given.add(name, value)
                self._recent[name] = self._clock.monotonic(), value
            return value

    def known(self, name: str) -> bool:
        """Whether its value was given out, and so is masked."""
        return name in self._given

    @property
    def longest(self) -> int:
        """How many bytes the longest value has that is masked; 0 if there are none."""
        return self._given.longest

    def mask(self, data: bytes) -> bytes:
        """Return `data` with every value that was given out replaced by as many asterisks."""
        return self._given.mask(data)

    def unsure(self, data: bytes) -> int:
        """Return how many bytes at the end of `data` may be the beginning of a value whose rest is yet to come."""
        return self._given.unsure(data)

    def _unknown(self, name: str) -> NotFound:
        near = suggest.near(name, self._sources)
        error = NotFound("secret", name, near)
        if not near:
            error.help = (
                f"Say in the server's configuration where it comes from: `secrets: {{{name}: {{file: PATH}}}}`."
            )
        return error


def _read(name: str, source: Source) -> str:
    try:
        data = source.read()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise SecretError(
            f"secret {name}: {source}: {why}",
            help=f"Mend it there, or say another place under `secrets: {name}:` in the server's configuration.",
        ) from None
    if len(data) > LIMIT:
        raise SecretError(f"secret {name}: {source}: more than {LIMIT:,} bytes", help="Is it the right one?")
    try:
        value = data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise SecretError(
            f"secret {name}: {source}: not UTF-8 text", help="Encode it, as base64 for example."
        ) from None
    if not value:
        raise SecretError(f"secret {name}: {source}: empty", help="Write the value there.")
    return value


def _end(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    # Its group, so that what it started does not keep the pipe open.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
