"""What must be true when nothing goes on: nobody waits without a reason, nothing is overdue, nothing is kept."""

from typing import TYPE_CHECKING

from whenever import TimeDelta

from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import FileExists
from apsis.domain.policy import Pool
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.timers import OfRun
from apsis.lib.instant import to_ms
from tests.sim.limits import SLACK_S
from tests.sim.store import ON

if TYPE_CHECKING:
    from apsis.domain.condition import Condition
    from tests.sim.server import Server
    from tests.sim.world import World


class Rest:
    """Looks at a world at rest."""

    def __init__(self, world: "World", server: "Server") -> None:
        self.world = world
        self.server = server
        self.book = server.engine._book
        self.now = world.clock.now()
        self.monotonic = world.clock.monotonic()

    def check(self) -> None:
        """Raise if a promise is broken."""
        broke = self.world.promises.broke
        if self.book.loading or self.book.settling.busy:
            raise broke("nothing hangs", "the engine rests with questions open")
        waiting = 0
        for run in self.world.disk.busy.values():
            if run.state is State.WAITING:
                waiting += 1
                self._waits(run)
            else:
                self._is_followed(run)
        if waiting != len(self.book.waiting._entries):
            raise broke("memory", f"{len(self.book.waiting._entries)} entries of {waiting} waiting runs")
        self._memory()
        if self.book.held is None:
            self._nothing_overdue()

    # -- waiting -----------------------------------------------------------------------------------------------

    def _waits(self, run: Run) -> None:
        broke, bound = self.world.promises.broke, run.bound
        assert bound is not None
        elapsed = self.monotonic - self.server.since.get(run.run_id, self.monotonic)
        if bound.limits.waiting_s is not None and elapsed > bound.limits.waiting_s + SLACK_S:
            raise broke("limits come", f"{run.run_id} has waited {elapsed} of {bound.limits.waiting_s} s")
        behind_s = bound.limits.since_schedule_s
        first = State.STARTING not in run.timestamps
        if first and behind_s is not None and self.now > run.schedule_time + TimeDelta(seconds=behind_s) + SLACK:
            raise broke("limits come", f"{run.run_id} waits {behind_s} s and more behind its schedule time")
        if self.book.held is not None and self.book.held.holds(run):
            return
        stuck = self._stuck(run)
        if stuck is None:
            raise broke("nobody waits for nothing", f"{run.run_id}: {self.server.engine.why(run.run_id)}")
        self._times_out(run, stuck)

    def _stuck(self, run: Run) -> int | None:
        """Return the number of the condition that the run truly waits for, -1 for a pool; None: for nothing."""
        assert run.bound is not None
        for number, condition in enumerate(run.bound.conditions):
            if not self._holds(run, number, condition):
                return number
        return None if all(self._has_room(run, pool) for pool in run.bound.pools) else -1

    def _holds(self, run: Run, number: int, condition: "Condition") -> bool:
        match condition:
            case Dependency():
                counts = self.world.disk.states.get(condition.instance, {})
                if condition.exist and not any(counts.get(state) for state in condition._needed()):
                    raise self.world.promises.broke("conditions end runs", f"{run.run_id}: {condition.describe()}")
                return any(counts.get(state) for state in condition.states)
            case MaxRunning():
                if self.world.disk.on(condition.instance) >= condition.count:
                    return False
                return not self._is_behind(run, condition.instance)
            case FileExists():
                return self.server.answers.get((run.run_id, run.attempt, number), False)
            case _:
                return bool(getattr(condition, "value", True))

    def _has_room(self, run: Run, pool: Pool) -> bool:
        size = self.book.room.sizes.get(pool.name)
        if size is None:
            return True
        return self._taken(pool.name) + min(pool.slots, size) <= size and not self._is_behind(run, pool.name)

    def _taken(self, name: str) -> int:
        busy = self.world.disk.busy.values()
        return sum(
            pool.slots for run in busy if run.state in ON and run.bound for pool in run.bound.pools if pool.name == name
        )

    def _is_behind(self, run: Run, key: object) -> bool:
        """Whether a run stands before it in the queue that cannot start: then it needs more room than there is."""
        first = self.book.room.first(key)  # type: ignore[arg-type]
        if first is None or first == run.run_id:
            return False
        ahead = self.world.disk.busy[first]
        if (to_ms(ahead.schedule_time), ahead.run_id) > (to_ms(run.schedule_time), run.run_id):
            return False
        assert ahead.bound is not None
        for condition in ahead.bound.conditions:
            if isinstance(condition, MaxRunning) and condition.instance == key:
                return self.world.disk.on(condition.instance) >= condition.count
        for pool in ahead.bound.pools:
            if pool.name == key:
                size = self.book.room.sizes.get(pool.name, 0)
                return self._taken(pool.name) + min(pool.slots, size) > size
        return False

    def _times_out(self, run: Run, number: int) -> None:
        key = (run.run_id, run.attempt)
        if number >= 0 and self.book.waiting.stuck_at(run.run_id, number) is None:
            return  # it was let through, and stands at a later one; nobody asks it again when room goes
        was, since = self.server.stuck.get(key, (None, 0.0))
        if was != number:
            self.server.stuck[key] = (number, self.monotonic)
            return
        assert run.bound is not None
        timeout_s = run.bound.conditions[number].timeout_s if number >= 0 else None
        if timeout_s is not None and self.monotonic - since > timeout_s + SLACK_S:
            words = f"{run.run_id} waits for {run.bound.conditions[number].describe()} more than {timeout_s} s"
            raise self.world.promises.broke("limits come", words)

    # -- programs ----------------------------------------------------------------------------------------------

    def _is_followed(self, run: Run) -> None:
        broke, server, key = self.world.promises.broke, self.server, (run.run_id, run.attempt)
        if run.state is State.STARTING and self.book.held is not None:
            return
        if key not in server.started and key not in server.connected:
            raise broke("programs are followed", f"{run.run_id} is {run.state}, and nobody asks what becomes of it")
        if run.bound is None:
            return
        elapsed = self.monotonic - server.since.get(run.run_id, self.monotonic)
        if run.state is State.STOPPING:
            if key not in server.stopped:
                raise broke("a stop is passed on", run.run_id)
            if elapsed > run.bound.program.stop.grace_period_s + SLACK_S and key not in server.killed:
                raise broke("limits come", f"{run.run_id} is stopping for {elapsed} s, and was not killed")
        elif run.state is State.RUNNING:
            timeout = run.bound.program.timeout
            for limit in (run.bound.limits.running_s, timeout.duration_s if timeout else None):
                if limit is not None and elapsed > limit + SLACK_S:
                    raise broke("limits come", f"{run.run_id} has run {elapsed} of {limit} s")
            longer_s = run.bound.deadlines.longer_than_s
            if longer_s is not None and elapsed > longer_s + SLACK_S and "longer_than" not in run.breached:
                raise broke("every breach is reported", f"{run.run_id} has run {elapsed} s, longer than {longer_s}")
            factor, usual = run.bound.deadlines.longer_than_factor, self.world.disk.usual.get(run.job_id)
            limit = factor * usual if factor is not None and usual is not None else elapsed
            if elapsed > limit + 2 * SLACK_S and "longer_than" not in run.breached:
                raise broke("every breach is reported", f"{run.run_id} has run {elapsed} s, usual are {usual}")

    # -- all ---------------------------------------------------------------------------------------------------

    def _nothing_overdue(self) -> None:
        for run in self.world.disk.unfinished.values():
            if run.state is State.SCHEDULED and run.due_at <= self.now:
                raise self.world.promises.broke("nothing is overdue", f"{run.run_id} of {run.job_id}")
            if run.bound is None or run.state.finished:
                continue
            for kind, seconds in run.bound.deadlines.after_schedule_time():
                late = kind == "finish_by" or State.STARTING not in run.timestamps
                if late and kind not in run.breached and self.now > run.schedule_time + TimeDelta(seconds=seconds):
                    raise self.world.promises.broke("every breach is reported", f"{run.run_id} has missed {kind}")

    def _memory(self) -> None:
        view, disk, broke = self.book.view, self.world.disk, self.world.promises.broke
        if len(view) != len(disk.unfinished):
            raise broke("memory", f"{len(view)} runs in memory, {len(disk.unfinished)} unfinished on disk")
        for run_id, run in disk.unfinished.items():
            if view.get(run_id) is not run:
                raise broke("memory", f"{run_id} is {run.state} on disk, in memory {view.get(run_id)}")
        for run_id in self.book.room._at:
            if run_id not in self.book.waiting:
                raise broke("memory", f"{run_id} queues for room and does not wait")
        for name in view._pools:
            if view.taken(name) != self._taken(name):
                raise broke("memory", f"pool {name}: {view.taken(name)} taken in memory, {self._taken(name)} on disk")

    def check_all(self) -> None:
        """Look at what is too much to be looked at after every step."""
        broke, view, book = self.world.promises.broke, self.book.view, self.book
        book.timers._tidy_at = 0
        book.timers.tidy(book._means_something)
        while book.timers._tidying:
            book.timers.tidy(book._means_something)
        for timer in book.timers:
            if isinstance(timer, OfRun) and view.get(timer.run_id) is None:
                raise broke("memory", f"a timer of the finished run {timer.run_id}")
        for watched in book.waiting._watched.values():
            for readers in watched.readers.values():
                if any(run_id not in book.waiting for run_id in readers):
                    raise broke("memory", "a run is watched for that does not wait")
        tasks, on = len(self.server.engine._performer._tasks), sum(r.state in ON for r in disk_runs(self.world))
        if tasks > 3 * on + 1:
            raise broke("memory", f"{tasks} tasks for {on} programs")


def disk_runs(world: "World") -> list[Run]:
    return list(world.disk.busy.values())


SLACK = TimeDelta(seconds=SLACK_S)
