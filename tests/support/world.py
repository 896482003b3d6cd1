"""An engine under a virtual clock, with a store in memory and programs that the test plays."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Answer, Condition
from apsis.domain.events import ProgramEvent, Started, Succeeded
from apsis.domain.jobset import Difference, JobSet
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.engine import Engine
from apsis.engine.ports import News
from apsis.lib.clock import VirtualClock, settle
from tests.support.jobs import EPOCH
from tests.support.memory_store import MemoryStore


class PlayedPrograms:
    """Programs that report what the test puts; those started by an earlier server are found again."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.connected: list[str] = []
        self.stopped: list[str] = []
        self.killed: list[str] = []
        self.at_once = True
        self._reports: dict[str, asyncio.Queue[ProgramEvent]] = {}

    async def start(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        self.started.append(run.run_id)
        yield Started(meta={"pid": 1})
        if self.at_once:
            yield Succeeded()
            return
        async for event in self._follow(run):
            yield event

    async def connect(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        self.connected.append(run.run_id)
        async for event in self._follow(run):
            yield event

    async def stop(self, run: Run) -> None:
        self.stopped.append(run.run_id)

    async def kill(self, run: Run) -> None:
        self.killed.append(run.run_id)

    def report(self, run_id: str, event: ProgramEvent) -> None:
        self._queue(run_id).put_nowait(event)

    async def _follow(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        while True:
            event = await self._queue(run.run_id).get()
            yield event
            if not isinstance(event, Started):
                return

    def _queue(self, run_id: str) -> asyncio.Queue[ProgramEvent]:
        return self._reports.setdefault(run_id, asyncio.Queue())


class PlayedProbes:
    """The world outside: what it answers to a condition, by its words; and how often it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def ask(self, run: Run, condition: Condition) -> Answer:
        self.asked.append(run.run_id)
        return self.answers.get(condition.describe(), Answer(False, "not there"))


class Bell:
    """An outbox that only notes that it was rung."""

    def __init__(self) -> None:
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1


class Journal:
    """Everything that was published."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def publish(self, news: Sequence[News]) -> None:
        self.news.extend(news)


class World:
    """Time, store and programs outlive the engine, as they do in life."""

    longest_wait_s: float | None = None

    def __init__(self, start: Instant = EPOCH) -> None:
        self.clock = VirtualClock(start)
        self.store = MemoryStore()
        self.programs = PlayedPrograms()
        self.probes = PlayedProbes()
        self.outbox = Bell()
        self.publisher = Journal()
        self._noise = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._story: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def play(self, story: Awaitable[None]) -> None:
        """Play a story to its end; an engine that breaks ends it at once."""
        self._story = asyncio.ensure_future(story)  # type: ignore[arg-type]
        try:
            await self._story
        except asyncio.CancelledError:
            if self._failure is None:
                raise
            raise self._failure from None
        finally:
            await self.crash()

    async def start(
        self, *snapshots: JobSet, settled: bool = True, hold: str | None = None, since: Instant | None = None
    ) -> "World":
        """Start an engine, as a server does with its last good snapshots."""
        self.engine = Engine(
            self.store,
            self.publisher,
            self.programs,
            self.clock,
            lambda: next(self._noise).to_bytes(10, "big"),
            probes=self.probes,
            outbox=self.outbox,
            longest_wait_s=self.longest_wait_s,
        )
        await self.engine.restore(snapshots, hold=hold, since=since)
        self._task = asyncio.create_task(self.engine.run())
        self._task.add_done_callback(self._engine_ended)
        if settled:
            await settle()
        return self

    async def crash(self) -> None:
        """End the engine between two instructions."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _engine_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure
            if self._story is not None:
                self._story.cancel()

    async def run(self, job_id: str, **args: str) -> Run:
        """Ask for a run, and let all happen that follows at once."""
        run = await self.engine.run_job(job_id, args, who="ada")
        await settle()
        return run

    def messages(self) -> list[Delivery]:
        """Return what is to be delivered."""
        return [delivery for _, delivery in self.store.pending.values()]

    def state(self, run: Run) -> State:
        return self.store.runs[run.run_id].state

    def log(self, run: Run) -> list[str]:
        return [entry.message for entry in self.store.logs[run.run_id]]

    async def apply(self, jobs: JobSet) -> Difference:
        changes = await self.engine.apply(jobs, ())
        await settle()
        return changes

    def runs(self, job_id: str | None = None, state: State | None = None) -> list[Run]:
        found = [r for r in self.store.runs.values() if job_id in (None, r.job_id) and state in (None, r.state)]
        return sorted(found, key=lambda run: run.schedule_time)

    def times(self, state: State | None = None, job_id: str | None = None) -> list[str]:
        return [run.schedule_time.format_iso(unit="second")[11:19] for run in self.runs(job_id, state)]


def play(story: Callable[[World], Awaitable[None]], start: Instant = EPOCH) -> None:
    """Play a story in a new world and end its engine."""

    async def main() -> None:
        world = World(start)
        await world.play(story(world))

    asyncio.run(main())
