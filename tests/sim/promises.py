"""What must be true of every commit, every start of a program, and everything that anybody is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace
from whenever import Instant

from apsis.domain.events import Broke, Failed, Succeeded
from apsis.domain.run import LogEntry, Run
from apsis.domain.state import FINISHED, State
from apsis.domain.transition import AFTER
from apsis.engine.ports import (
    Change,
    News,
    RunNews,
    SaveApplied,
    SaveDelivery,
    SaveHandled,
    SavePlanned,
    SaveRun,
    SettleDelivery,
    WithdrawRun,
)
from tests.sim import acted, limits, starts
from tests.sim.agents import Key
from tests.sim.store import ON

if TYPE_CHECKING:
    from tests.sim.server import Server
    from tests.sim.world import World

UNDER_WAY = ON
LEGAL = {
    *((before, after) for before, moves in AFTER.items() for after in moves.values() if after is not None),
    *((State.WAITING, after) for after in FINISHED),
    *((before, after) for before in FINISHED for after in FINISHED),
    *((before, State.SCHEDULED) for before in UNDER_WAY),
}


class BrokenPromise(AssertionError):
    """A promise was broken; the world has noted which."""


@dataclass(frozen=True, slots=True)
class Move:
    """A run's way from one state to another; `attempt` is the one that it was in."""

    run: Run
    before: State
    after: State
    attempt: int
    entry: LogEntry

    @property
    def again(self) -> bool:
        return self.after is State.SCHEDULED

    @property
    def marked(self) -> bool:
        return self.before.finished

    @property
    def by_engine(self) -> bool:
        return self.entry.who is None


@dataclass(slots=True)
class Commit:
    """What a commit does, run by run; `late` are breaches with the attempt they came in."""

    server: "Server"
    changes: Sequence[Change]
    applied: bool = False
    remade: set[str] = field(default_factory=set)
    new: dict[str, Run] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    late: list[tuple[Run, str, int]] = field(default_factory=list)
    notes: list[tuple[Run, str]] = field(default_factory=list)


class Promises:
    """Watches a world; the first broken promise ends it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.broken: list[str] = []
        self.startable: set[Key] = set()
        self.stoppable: set[Key] = set()
        self.stopped_by_hand: set[Key] = set()
        self.timed_out: set[Key] = set()
        self.delivery_keys: set[str] = set()
        self._dues: dict[tuple[str, int], Instant] = {}
        self._commit: Commit

    def broke(self, promise: str, words: str) -> BrokenPromise:
        """Note a broken promise; what it returns is to be raised."""
        self.broken.append(f"{promise}: {words}")
        return BrokenPromise(self.broken[-1])

    # -- commits -----------------------------------------------------------------------------------------------

    def commit(self, server: "Server", changes: Sequence[Change]) -> None:
        """Look at a commit, and make it durable."""
        if not server.alive:
            raise self.broke("harness", "a dead server commits")
        handled = self.world.disk.handled
        commit = self._commit = Commit(server, changes)
        commit.applied = any(type(change) is SaveApplied for change in changes)
        commit.remade = {change.job_id for change in changes if type(change) is SavePlanned and change.remake}
        for change in changes:
            if type(change) is WithdrawRun:
                self._withdrawn(change.run)
        self._write(changes)
        self._others(server, changes, handled)
        if commit.moves or commit.late:
            limits.check(self, commit)
            acted.check(self, commit)
            starts.check(self, commit)
        self.world.owed.commit(commit)
        self.world.tell_commit(commit)

    def _write(self, changes: Sequence[Change]) -> None:
        try:
            self.world.disk.write(changes, self._saved)
        except AssertionError as error:
            if self.broken:
                raise
            raise self.broke("one run for a time", str(error)) from error

    def _others(self, server: "Server", changes: Sequence[Change], handled: Instant | None) -> None:
        for change in changes:
            if type(change) is SaveHandled:
                if handled is not None and change.at < handled:
                    raise self.broke("handled time never goes back", f"from {handled} to {change.at}")
            elif type(change) is SaveDelivery:
                if change.delivery.key in self.delivery_keys:
                    raise self.broke("one delivery a change", f"{change.delivery.key} twice")
                self.delivery_keys.add(change.delivery.key)
            elif type(change) is SettleDelivery and change.key not in server.reported:
                raise self.broke("settled after a report", f"{change.key} was never reported")

    def _withdrawn(self, run: Run) -> None:
        stored = self.world.disk.runs.get(run.run_id)
        if stored is None or not stored.expected:
            raise self.broke("only coming runs are withdrawn", f"{run.run_id} is {stored.state if stored else 'gone'}")
        if run.job_id not in self.world.disk.remake and run.job_id not in self._commit.remade:
            raise self.broke("only changed jobs lose coming runs", f"{run.job_id} has not changed")

    def _saved(self, change: SaveRun, old: Run | None) -> None:
        run, commit = change.run, self._commit
        if old is None:
            commit.new[run.run_id] = run
        state, attempt = (old.state, old.attempt) if old is not None else (None, 1)
        if old is not None and old.state.finished:
            self._finished(old, run, change.entries)
        if old is not None and change.entries and old.log_length + len(change.entries) != run.log_length:
            raise self.broke("every transition is in the log", f"{run.run_id} lacks entries")
        if old is not None and not change.entries and (old.state, old.attempt) != (run.state, run.attempt):
            raise self.broke("every transition is in the log", f"{run.run_id} changed without a word")
        state, attempt = self._entries(change, old, state, attempt)
        if (change.entries or old is None) and (state is not run.state or attempt != run.attempt):
            raise self.broke("every transition is in the log", f"{run.run_id} is {run.state}, logged {state}")
        if run.attempt == 1 and not run.adhoc:
            self._due_once(run)

    def _entries(self, change: SaveRun, old: Run | None, state: State | None, attempt: int) -> tuple[State | None, int]:
        """Sort a run's new log entries into moves, breaches and notes; return where they lead."""
        run, commit = change.run, self._commit
        kinds = iter(run.breached[len(old.breached) if old is not None else 0 :])
        for entry in change.entries:
            if entry.state is not state and state is not None:
                if (state, entry.state) not in LEGAL:
                    raise self.broke("legal transitions", f"{run.run_id} from {state} to {entry.state}")
                move = Move(run, state, entry.state, attempt, entry)
                commit.moves.append(move)
                self._moved(move, old)
                attempt += move.again
            elif entry.message.startswith("late: "):
                if (kind := next(kinds, None)) is None:
                    raise self.broke("one report a breach", f"{run.run_id} logs {entry.message!r}")
                commit.late.append((run, kind, attempt))
            else:
                commit.notes.append((run, entry.message))
            state = entry.state
        if next(kinds, None) is not None or len(set(run.breached)) != len(run.breached):
            raise self.broke("one report a breach", f"{run.run_id} has {run.breached}")
        return state, attempt

    def _finished(self, old: Run, new: Run, entries: Sequence[LogEntry]) -> None:
        marked = [entry for entry in entries if entry.who and entry.message.startswith("asked to mark")]
        if not marked and replace(new, log_length=old.log_length) != old:
            raise self.broke("a finished run never changes", f"{old.run_id} was {old.state}, is {new.state}")
        if not new.state.finished:
            raise self.broke("a finished run never changes", f"{old.run_id} is {new.state} again")

    def _due_once(self, run: Run) -> None:
        jitter_ms = -1 if run.due is None else self.world.owed.jitter_of(run)
        if jitter_ms is None:
            return
        due = self._dues.setdefault((run.run_id, jitter_ms), run.due_at)
        if due != run.due_at:
            raise self.broke("jitter is rolled once", f"{run.run_id} was due at {due}, is at {run.due_at}")

    # -- moves -------------------------------------------------------------------------------------------------

    def _moved(self, move: Move, old: Run | None) -> None:
        run, key = move.run, (move.run.run_id, move.attempt)
        self._commit.server.entered(run.run_id, move.after)
        match move.after:
            case State.WAITING if move.by_engine:
                due_at = run.due_at if run.attempt == move.attempt else (old or run).due_at
                if move.entry.time < due_at:
                    raise self.broke("no run starts before it is due", f"{run.run_id} at {move.entry.time}")
            case State.STARTING:
                self.startable.add(key)
            case State.STOPPING:
                self.stoppable.add(key)
                if move.entry.who:
                    self.stopped_by_hand.add(key)
                elif move.entry.message.startswith("timed out"):
                    self.timed_out.add(key)
            case State.SCHEDULED:
                self._tried_again(move, old)
        if move.before in UNDER_WAY and move.after in FINISHED:
            self._ended(move)

    def _tried_again(self, move: Move, old: Run | None) -> None:
        run, key = move.run, (move.run.run_id, move.attempt)
        retry = run.bound.retry if run.bound is not None else None
        if retry is None or move.attempt > retry.count:
            raise self.broke("attempts are bounded", f"{run.run_id} has attempt {move.attempt + 1}")
        if key in self.stopped_by_hand:
            raise self.broke("nothing stopped by hand is tried again", run.run_id)
        said = self.world.agents.ended_as.get(key)
        outcome = "error" if isinstance(said, Broke) else "failure"
        if said is None or (isinstance(said, Succeeded) and key not in self.timed_out):
            raise self.broke("tried again only after a failure", f"{run.run_id}, of which was said {said}")
        if outcome not in retry.on:
            raise self.broke("tried again only after a failure", f"{run.run_id} after {outcome}, not {retry.on}")
        if retry.exit_codes and (said.meta or {}).get("exit_code") not in retry.exit_codes:
            raise self.broke("tried again only after a failure", f"{run.run_id} after {said.meta}")

    def _ended(self, move: Move) -> None:
        run, key = move.run, (move.run.run_id, move.attempt)
        said = self.world.agents.ended_as.get(key)
        right = {Succeeded: State.SUCCESS, Failed: State.FAILURE, Broke: State.ERROR}.get(type(said))
        if right is State.SUCCESS and key in self.timed_out:
            right = State.FAILURE
        if right is not move.after:
            raise self.broke("a run ends as its program did", f"{run.run_id} is {move.after}, said was {said}")

    # -- what is told and done ---------------------------------------------------------------------------------

    def told(self, news: Sequence[News]) -> None:
        """Everybody is told something."""
        for item in news:
            if type(item) is RunNews:
                stored = self.world.disk.runs.get(item.run.run_id)
                logged = len(self.world.disk.logs.get(item.run.run_id, ()))
                if stored is not item.run or (item.entries and logged < item.entries[-1].seq):
                    raise self.broke("durable before told", f"{item.run.run_id} {item.run.state}")

    def answered(self, run: Run) -> None:
        """A person has got an answer."""
        log = self.world.disk.logs.get(run.run_id, [])
        if len(log) < run.log_length or log[run.log_length - 1].state is not run.state:
            raise self.broke("durable before answered", f"{run.run_id} {run.state}")

    def starting(self, server: "Server", run: Run) -> None:
        """The engine asks for the start of a program."""
        key = (run.run_id, run.attempt)
        stored = self.world.disk.runs.get(run.run_id)
        if key not in self.startable or stored is None:
            raise self.broke("durable before started", run.run_id)
        if key in server.started:
            raise self.broke("a program starts once an attempt", f"{run.run_id} was asked to start twice")
        if stored.attempt != run.attempt or stored.state not in (State.STARTING, State.STOPPING):
            raise self.broke("durable before started", f"{run.run_id} is {stored.state}, attempt {stored.attempt}")

    def stopping(self, run: Run) -> None:
        """The engine asks for the end of a program."""
        if (run.run_id, run.attempt) not in self.stoppable:
            raise self.broke("durable before stopped", run.run_id)

    def started(self, starts_of: Counter[Key]) -> None:
        """Look at what agents have really started."""
        for key, count in starts_of.items():
            if count > 1:
                raise self.broke("a program starts once an attempt", f"{key} was started {count} times")
