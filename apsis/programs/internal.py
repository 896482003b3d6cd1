"""Programs that the server does itself, to keep its own house: archive, vacuum, stats.

They live in the server and end with it. After a restart they are started again, which does no harm: archiving goes on
with what is still there to be moved (a `count` counts anew), a vacuum has little left to do, and statistics are taken
again, so that their file may have a line twice.
"""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from whenever import Instant, TimeDelta

from apsis.domain.errors import ApsisError
from apsis.domain.events import Failed, ProgramEvent, Started, Succeeded
from apsis.domain.program import Archive, Stats, Vacuum
from apsis.domain.run import Output, Run
from apsis.domain.state import State
from apsis.lib.bell import Bell
from apsis.lib.clock import Clock
from apsis.lib.instant import format_instant
from apsis.programs.state_file import append_line

ARCHIVE: Final = "archive.db"
"""Where archived runs go if the program does not say."""
SAY_EVERY_S: Final = 1.0
"""Between two lines about progress: chunks may take milliseconds."""
LINES: Final = 1000
"""Lines of output that are kept, the newest ones: an archive that takes all night must not grow the server."""

Internal = Archive | Vacuum | Stats


class Housekeeping(Protocol):
    """What these programs need of the store. Every method raises ApsisError if it cannot be done."""

    async def archive(
        self,
        before: Instant,
        *,
        path: str | None,
        limit: int | None,
        chunk_size: int,
        chunk_sleep_s: float,
        progress: Callable[[int], None],
    ) -> int:
        """Move finished runs that ended before an instant to another database; return how many were moved.

        `path` is below the state directory, None is `archive.db` there. `limit` is the most that are moved, None is
        all. A chunk is moved as a whole or not at all. After each chunk `progress` is told how many were moved so far;
        what it raises ends the work there, and comes out of here.
        """
        ...

    async def vacuum(self) -> int:
        """Give the space of deleted rows back to the disk; return how many bytes."""
        ...

    async def stats(self) -> Mapping[str, Any]:
        """Return the server's statistics, as JSON."""
        ...


class Internals:
    """How they are done. Of archives and vacuums one is at work at a time, the others wait for their turn."""

    def __init__(self, housekeeping: Housekeeping, state_dir: Path, clock: Clock) -> None:
        self._housekeeping = housekeeping
        self._state_dir = state_dir
        self._clock = clock
        self._works: dict[str, Work] = {}
        self._bell = Bell()
        self._busy = False

    async def start(self, run: Run, program: Internal) -> AsyncGenerator[ProgramEvent, None]:
        """Do it."""
        with self._followed(run) as work:
            yield Started()
            yield await self._end_of(run, program, work)

    async def connect(self, run: Run, program: Internal) -> AsyncGenerator[ProgramEvent, None]:
        """Do it again, as it ended with the earlier server; but not what was asked to stop."""
        with self._followed(run) as work:
            if run.state is State.STOPPING:
                yield Failed("stopped")
                return
            yield Started("started again: it ended with the earlier server")
            yield await self._end_of(run, program, work)

    async def stop(self, run: Run, _program: Internal) -> None:
        """End it after the step that it is at: an archive's chunk, a whole vacuum."""
        if run.run_id in self._works:
            self._works[run.run_id].stopped = True
            self._bell.ring()

    async def kill(self, run: Run, program: Internal) -> None:
        """Stop it; a step of the database cannot be broken off."""
        await self.stop(run, program)

    @contextmanager
    def _followed(self, run: Run) -> Iterator["Work"]:
        work = self._works[run.run_id] = Work(self._clock)
        try:
            yield work
        finally:
            # The run's next attempt may have begun already.
            if self._works.get(run.run_id) is work:
                del self._works[run.run_id]

    async def _end_of(self, run: Run, program: Internal, work: "Work") -> ProgramEvent:
        try:
            match program:
                case Archive():
                    async with self._turn(work):
                        return await self._archive(run, program, work)
                case Vacuum():
                    async with self._turn(work):
                        return await self._vacuum(work)
                case Stats():
                    return await self._stats(run, program)
        except Stopped:
            return Failed("stopped", output=work.output())
        except ApsisError as error:
            return Failed(_words(error), output=work.output())

    @asynccontextmanager
    async def _turn(self, work: "Work") -> AsyncIterator[None]:
        if self._busy:
            work.say("waiting for another archive or vacuum to end")
        while self._busy and not work.stopped:
            await self._bell.next_ring.wait()
        work.go_on()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._bell.ring()

    async def _archive(self, run: Run, program: Archive, work: "Work") -> ProgramEvent:
        where, moved = program.path or ARCHIVE, 0

        def progress(so_far: int) -> None:
            nonlocal moved
            moved = so_far
            work.say_now_and_then(f"{_runs(so_far)} moved")
            work.go_on()

        # Counted from the start, so that it is the same after a restart.
        before = run.timestamps[State.STARTING] - TimeDelta(seconds=program.age_s)
        try:
            moved = await self._housekeeping.archive(
                before,
                path=program.path,
                limit=program.count,
                chunk_size=program.chunk_size,
                chunk_sleep_s=program.chunk_sleep_s,
                progress=progress,
            )
        except (Stopped, ApsisError) as error:
            words = f"stopped; {_runs(moved)} moved to {where}"
            if isinstance(error, ApsisError):
                words = f"{_words(error)}; {_runs(moved)} moved to {where} before"
            work.say(words)
            return Failed(words, {"moved": moved}, work.output())
        words = f"moved {_runs(moved)} to {where}"
        work.say(words)
        return Succeeded(words, {"moved": moved}, work.output())

    async def _vacuum(self, work: "Work") -> ProgramEvent:
        freed = await self._housekeeping.vacuum()
        words = f"gave {freed:,} bytes back to the disk"
        work.say(words)
        return Succeeded(words, {"freed_bytes": freed}, work.output())

    async def _stats(self, run: Run, program: Stats) -> ProgramEvent:
        stats = await self._housekeeping.stats()
        output = output_of(json.dumps(stats, indent=2) + "\n")
        if program.path is None:
            return Succeeded("statistics taken", output=output)
        line = json.dumps({"time": format_instant(self._clock.now()), "run_id": run.run_id, **stats})
        try:
            await asyncio.to_thread(append_line, self._state_dir, program.path, line)
        except ApsisError as error:
            return Failed(_words(error), output=output)
        return Succeeded(f"statistics taken, and added to {program.path}", output=output)


class Stopped(Exception):
    """Somebody asked for the end."""


class Work:
    """One program under way: what it has said, and whether it was asked to stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: deque[str] = deque(maxlen=LINES)
        self._quiet_until = clock.monotonic() + SAY_EVERY_S
        self.stopped = False

    def go_on(self) -> None:
        """Raise Stopped if it was asked to stop."""
        if self.stopped:
            raise Stopped

    def say(self, words: str) -> None:
        """Add a line to the output."""
        self._lines.append(f"{format_instant(self._clock.now())} {words}\n")

    def say_now_and_then(self, words: str) -> None:
        """Add a line to the output, unless one was added so just now."""
        if self._clock.monotonic() >= self._quiet_until:
            self._quiet_until = self._clock.monotonic() + SAY_EVERY_S
            self.say(words)

    def output(self) -> Output:
        """Return all that was said."""
        return output_of("".join(self._lines))


def output_of(text: str) -> Output:
    """Return text as the output of a run."""
    data = text.encode()
    return Output(len(data), hashlib.sha256(data).hexdigest(), data)


def _words(error: ApsisError) -> str:
    return f"{error.message}. {error.help}" if error.help else error.message


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number:,} runs"
