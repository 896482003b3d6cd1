"""One life of the server in a world: an engine, and ports that go dead when the power is cut."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from whenever import Instant

from apsis.domain.condition import Answer, Condition, Instance
from apsis.domain.errors import StoreError
from apsis.domain.events import ProgramEvent
from apsis.domain.jobset import JobSet
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.engine import Engine
from apsis.engine.perform import READ_AGAIN_S
from apsis.engine.ports import Change, News, Restored
from tests.sim.agents import Key
from tests.sim.loop import Loop

if TYPE_CHECKING:
    from tests.sim.world import World


class Server:
    """Store, publisher, programs, probes, outbox and clock of one engine, as the world has them."""

    def __init__(self, world: "World", jobs: Sequence[JobSet], *, hold: str | None, since: Instant | None) -> None:
        self.world = world
        self.loop = Loop()
        self.alive = True
        self.dawdling: list[asyncio.Future[None]] = []
        self.begins: dict[Key, asyncio.Event] = {}
        self.started: set[Key] = set()
        self.connected: set[Key] = set()
        self.stopped: set[Key] = set()
        self.killed: set[Key] = set()
        self.asks_again_at = 0.0
        """When the engine will have tried again what the disk refused to read, on the monotonic clock."""
        self.reported: set[str] = set()
        self.answers: dict[tuple[str, int, int], bool] = {}
        self.rung = False
        self.decided = 0.0
        """What the monotonic clock said when the newest turn was decided."""
        self.decided_at = world.clock.now()
        self.since: dict[str, float] = {}
        """When each run entered its state, on the monotonic clock, as far as this server can know."""
        self.before_since: dict[str, float] = {}
        self.running_since: dict[str, float] = {}
        self.stuck: dict[tuple[str, int], tuple[int, float]] = {}
        self.held_since = world.clock.now() if hold is not None else None
        self.restoring = True
        self.engine = Engine(self, self, self, self, world.noise, probes=self, outbox=self, longest_wait_s=None)
        self.task = self.loop.create_task(self._live(jobs, hold, since))

    async def _live(self, jobs: Sequence[JobSet], hold: str | None, since: Instant | None) -> None:
        await self.engine.restore(jobs, hold=hold, since=since)
        self.restoring = False
        await self.engine.run()

    def cut(self) -> None:
        """Cut the power: nothing that is under way does anything more."""
        self.alive = False
        self.loop.end()

    @property
    def resting(self) -> bool:
        """Whether nothing goes on, and nothing is late that would let something go on."""
        return (
            self.loop.idle
            and not self.dawdling
            and not self.asks_again
            and not self.restoring
            and self.engine.failing is None
            and not self.engine._inbox._queue
        )

    @property
    def asks_again(self) -> bool:
        """Whether something that the disk refused to read is yet to be asked again."""
        return self.world.clock.monotonic() < self.asks_again_at

    def hurry(self) -> None:
        """Let all that is late come now."""
        late, self.dawdling = self.dawdling, []
        for future in late:
            if not future.done():
                future.set_result(None)

    async def dawdle(self, chance: float) -> None:
        """Be late by chance: until the world hurries."""
        if not self.alive:
            raise asyncio.CancelledError
        if self.world.chance(chance):
            future: asyncio.Future[None] = self.loop.create_future()
            self.dawdling.append(future)
            await future
            if not self.alive:
                raise asyncio.CancelledError

    # -- clock -------------------------------------------------------------------------------------------------

    def now(self) -> Instant:
        return self.world.clock.now()

    def monotonic(self) -> float:
        self.decided, self.decided_at = self.world.clock.monotonic(), self.world.clock.now()
        if self.world.gap_open:
            self.world.gaps.append(self.decided_at)
            self.world.gap_open = False
        return self.decided

    async def sleep(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    async def wait(self, event: asyncio.Event, until: Instant | None) -> None:
        await self.world.clock.wait(event, until)

    # -- store -------------------------------------------------------------------------------------------------

    async def commit(self, changes: Sequence[Change]) -> None:
        await self.dawdle(0.1)
        if self.world.disk.full:
            raise StoreError("the disk is full")
        self.world.promises.commit(self, changes)
        await self.dawdle(0.03)

    async def load_run(self, run_id: str) -> Run | None:
        run = await self.world.disk.load_run(run_id)
        await self.dawdle(0.2)
        if self.world.reads_fail and self.world.chance(0.5):
            raise StoreError("disk I/O error")
        return run

    async def finished_states(self, instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
        states = await self.world.disk.finished_states(instances)
        await self.dawdle(0.2)
        if self.world.reads_fail and self.world.chance(0.5):
            self.asks_again_at = self.world.clock.monotonic() + READ_AGAIN_S
            raise StoreError("disk I/O error")
        return states

    async def usual_duration(self, job_id: str) -> float | None:
        await self.dawdle(0.2)
        if self.world.reads_fail and self.world.chance(0.5):
            self.asks_again_at = self.world.clock.monotonic() + READ_AGAIN_S
            raise StoreError("disk I/O error")
        return await self.world.disk.usual_duration(job_id)

    async def restore(self, now: Instant) -> Restored:
        restored = await self.world.disk.restore(now)
        monotonic = self.world.clock.monotonic()
        for run in restored.runs:
            ago = (now - run.timestamps.get(run.state, now)).total("seconds")
            self.since[run.run_id] = monotonic - max(0.0, ago)
            if run.state is State.RUNNING:
                self.running_since[run.run_id] = self.since[run.run_id]
        return restored

    def entered(self, run_id: str, state: State) -> None:
        """Note that a run has entered a state in the newest turn."""
        self.before_since.setdefault(run_id, self.since.get(run_id, self.decided))
        self.since[run_id] = self.decided
        if state is State.RUNNING:
            self.running_since[run_id] = self.decided

    # -- programs, probes, outbox ------------------------------------------------------------------------------

    def start(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        self.world.promises.starting(self, run)
        self.started.add((run.run_id, run.attempt))
        return self.world.agents.start(self, run)

    def connect(self, run: Run) -> AsyncGenerator[ProgramEvent, None]:
        self.connected.add((run.run_id, run.attempt))
        return self.world.agents.connect(self, run)

    async def stop(self, run: Run) -> None:
        if self.alive:
            self.world.promises.stopping(run)
            self.stopped.add((run.run_id, run.attempt))
            await self.world.agents.stop(self, run)

    async def kill(self, run: Run) -> None:
        if self.alive:
            self.world.promises.stopping(run)
            self.killed.add((run.run_id, run.attempt))
            await self.world.agents.stop(self, run, kill=True)

    async def ask(self, run: Run, condition: Condition) -> Answer:
        holds = condition.describe() in self.world.there
        await self.dawdle(0.2)
        if self.world.chance(0.2) and not self.world.finale:
            return Answer(False, "nobody answered", broken=True)
        number = run.bound.conditions.index(condition) if run.bound is not None else -1
        key = (run.run_id, run.attempt, number)
        self.answers[key] = holds or self.answers.get(key, False)
        return Answer(holds, "there" if holds else "not there")

    def ring(self) -> None:
        self.rung = True

    # -- publisher ---------------------------------------------------------------------------------------------

    def publish(self, news: Sequence[News]) -> None:
        self.world.promises.told(news)
