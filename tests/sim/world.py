"""A world: one seed's time, disk, agents and people, and the server that lives in it, life after life."""

import itertools
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from whenever import Instant

from apsis.domain.errors import ApsisError
from apsis.domain.jobset import JobSet
from apsis.domain.revision import Revision
from apsis.domain.run import Run
from apsis.lib.clock import VirtualClock
from apsis.lib.instant import format_instant
from tests.sim import actors
from tests.sim.agents import Agents
from tests.sim.making import FILES, Maker, near_a_change
from tests.sim.owed import Owed
from tests.sim.promises import BrokenPromise, Commit, Promises
from tests.sim.rest import Rest
from tests.sim.server import Server
from tests.sim.store import ON, Disk
from tests.support.jobs import EPOCH

MOST_ROUNDS = 600
"""After so many rounds of ending what runs, a world that does not come to rest never will."""


class World:
    """Plays steps; the first broken promise is raised, in words that begin with its name."""

    def __init__(self, seed: int, *, telling: bool = False) -> None:
        self.rng = Random(seed)
        self.telling = telling
        self.told: list[str] = []
        daily = self.rng.random() < 0.2
        self.unit_s = self.rng.choice((300.0, 900.0)) if daily else self.rng.choice((1.0, 1.0, 1.0, 60.0, 1800.0))
        self.clock = VirtualClock(near_a_change(self.rng) if daily else EPOCH)
        self.disk = Disk()
        self.agents = Agents(seed)
        self.maker = Maker(self.unit_s, daily=daily)
        self.promises = Promises(self)
        self.owed = Owed(self)
        self.timed_out = self.promises.timed_out
        self.there: set[str] = set()
        self.reads_fail = False
        self.finale = False
        self.gaps: list[Instant] = []
        self.gap_open = False
        self.disk.usual = dict.fromkeys(("a", "c", "e"), self.unit_s * 10)
        self._noise = itertools.count(1)
        since = self.clock.now().subtract(seconds=self.unit_s * 40) if self.rng.random() < 0.1 else None
        self.server: Server | None = None
        self.start(None, since)

    # -- playing -----------------------------------------------------------------------------------------------

    def step(self, act: str, seed: int) -> None:
        """Let one act happen, and see how far the server gets; everything in it is drawn from `seed`."""
        self.rng = Random(seed)
        words = actors.ACTS[act](self)
        self.tell(f"{act}{f': {words}' if words else ''}")
        most = self.rng.choice((None, None, None, None, 0, 2, 5, 9, 14))
        self.go_on(most)
        if self.rng.random() < 0.5 and self.server is not None:
            self.server.hurry()
            self.go_on(most)
        self.check()

    def go_on(self, most: int | None = None) -> None:
        """Let the server do what it can, or so many callbacks of it."""
        if self.server is not None:
            took = self.server.loop.run() if most is None else self.server.loop.run(most)
            if took >= 200_000:
                self.promises.broke("the engine comes to rest", "200,000 callbacks in one step")
        self.raise_broken()

    def pass_time(self, seconds: float) -> None:
        """Let wall time and elapsed time pass."""
        until = self.clock.now().add(seconds=seconds)
        self.go_on()
        while self.clock.turn_towards(until):
            self.go_on()
        self.go_on()

    def check(self) -> None:
        """Look whether all is as promised."""
        self.raise_broken()
        if self.server is not None and self.server.resting:
            Rest(self, self.server).check()

    def raise_broken(self) -> None:
        """Raise what was broken where only the engine could see it raised."""
        if self.promises.broken:
            raise BrokenPromise(self.promises.broken[0])
        server = self.server
        if server is not None and server.task.done() and not server.task.cancelled():
            failure = server.task.exception()
            raise self.promises.broke("the engine lives", f"{type(failure).__name__}: {failure}") from failure
        if server is not None and server.loop.failures:
            raise self.promises.broke("no task fails", repr(server.loop.failures[0])) from server.loop.failures[0]

    def end(self) -> None:
        """Let everything come to its end, and look at the whole."""
        self.rng = Random(0)
        self.finale = True
        self.there.update(f"file {name} exists" for name in FILES)
        self.disk.full = self.reads_fail = False
        self.agents.come_back()
        self.pass_time(1.0)  # what the disk refused is tried again
        self.come_to_rest()
        assert self.server is not None
        Rest(self, self.server).check_all()
        self.owed.settle()
        self.promises.started(self.agents.starts)

    def wind_up(self) -> None:
        """Remove all jobs, and let time pass: all that started ends, and whoever waits for the outside gets there."""
        nothing = JobSet("", Revision("none", "Ada", EPOCH, "nothing"), {}, {}, {})
        assert self.server is not None
        self.ask(self.server.engine.apply(nothing, ()))
        for _ in range(8):
            self.pass_time(25 * self.unit_s)
            self.come_to_rest()
        self.tell("wound up")
        for run in self.disk.busy.values():
            if any(why.blocks and "file" in why.text for why in self.server.engine.why(run.run_id)):
                raise self.promises.broke("nobody waits for nothing", f"{run.run_id} was not asked again")

    def come_to_rest(self) -> None:
        """Let programs end and answers come until nothing goes on."""
        server = self.server
        assert server is not None
        for _ in range(MOST_ROUNDS):
            server.hurry()
            self.go_on()
            if server.engine.held is not None:
                actors.release(self)
            for process in self.agents.running():
                self.agents.let_end(process)
            if server.engine.failing is not None or server.asks_again:
                self.pass_time(1.0)
            self.go_on()
            if server.resting and not any(run.state in ON for run in self.disk.busy.values()):
                self.check()
                return
        hanging = [f"{run.run_id} {run.state}" for run in self.disk.busy.values() if run.state in ON]
        raise self.promises.broke("nothing hangs", f"{', '.join(hanging)} or the engine does not come to rest")

    # -- the server --------------------------------------------------------------------------------------------

    def start(self, hold: str | None, since: Instant | None = None) -> None:
        """Start a server with the newest revision that was made durable."""
        jobs = [self.disk.applied[-1].jobs] if self.disk.applied else []
        self.gaps.append(self.clock.now())
        self.gap_open = True
        self.server = Server(self, jobs, hold=hold, since=since)

    def crash(self, down_s: float) -> None:
        """Cut the power between two callbacks, and let time pass without a server."""
        assert self.server is not None
        self.server.cut()
        self.server = None
        self.clock.jump_to(self.clock.now().add(seconds=down_s))

    def ask(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let somebody ask the server for something, and go on without the answer."""
        if self.server is None:
            work.close()
        else:
            # Cut down before it began, it would complain that nobody awaits it.
            self.server.loop.create_task(self._asked(work)).add_done_callback(lambda _: work.close())

    async def _asked(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            answer = await work
        except ApsisError:
            return
        if isinstance(answer, Run):
            self.promises.answered(answer)

    # -- what the others use -----------------------------------------------------------------------------------

    def chance(self, chance: float) -> bool:
        """Whether something happens by chance; nothing does at the end."""
        return not self.finale and self.rng.random() < chance

    def noise(self) -> bytes:
        """Return what new run ids are made of."""
        return next(self._noise).to_bytes(10, "big")

    def tell(self, words: str) -> None:
        """Add a line to the story."""
        if self.telling:
            self.told.append(f"{format_instant(self.clock.now())} {self.clock.monotonic():10.3f} s  {words}")

    def tell_commit(self, commit: Commit) -> None:
        """Add what a commit changes to the story."""
        if not self.telling:
            return
        for move in commit.moves:
            who = f" by {move.entry.who}" if move.entry.who else ""
            words = f"{self.name(move.run)} {move.before} -> {move.after}{who}: {move.entry.message}"
            self.tell(f"    {words}")
        for run, kind, _ in commit.late:
            self.tell(f"    {self.name(run)} missed {kind}")
        for change in commit.changes:
            if (said := actors.SAID.get(type(change))) is not None:
                self.tell(f"    {said(change)}")

    def name(self, run: Run) -> str:
        """Return what a run is called in stories."""
        of = "".join(f" {name}={value}" for name, value in run.args.items())
        kind = "asked for " if run.adhoc else ""
        return f"{run.run_id} ({run.job_id}{of} {kind}at {format_instant(run.schedule_time)}, attempt {run.attempt})"


class _Seams(logging.Handler):
    """What a seam catches is a bug all the same."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and not self._world.promises.broken:
            self._world.promises.broke("no seam catches anything", record.getMessage())


@contextmanager
def watched(world: World) -> Iterator[World]:
    """Keep the engine's log from the terminal, and see what it says of failures."""
    log, handler = logging.getLogger("apsis"), _Seams(world)
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield world
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
        if world.server is not None:
            world.server.cut()
