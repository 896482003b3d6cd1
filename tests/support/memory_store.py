"""A store in memory that passes the same contract suite as the real one."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from whenever import Instant

from apsis.domain.action import Delivery
from apsis.domain.condition import Instance
from apsis.domain.errors import StoreError
from apsis.domain.missed import Missed
from apsis.domain.run import LogEntry, Output, Run
from apsis.domain.state import State
from apsis.engine.ports import (
    Change,
    Restored,
    SaveApplied,
    SaveDelivery,
    SaveHandled,
    SaveMissed,
    SavePlanned,
    SaveRun,
    SettleDelivery,
    WithdrawRun,
)
from apsis.store.store import USUAL_FROM, USUAL_OF


class MemoryStore:
    """Keeps runs, logs and plans; can be told to refuse the next commits and reads."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.logs: dict[str, list[LogEntry]] = {}
        self.outputs: dict[str, Output] = {}
        self.planned: dict[str, Instant] = {}
        self.remake: set[str] = set()
        self.applied: list[SaveApplied] = []
        self.handled: Instant | None = None
        self.pending: dict[str, tuple[Instant, Delivery]] = {}
        self.settled: list[SettleDelivery] = []
        self.spans: list[Missed] = []
        self.usual: dict[str, float] = {}
        self.refusals = 0
        self.unreadable = 0
        self.commits = 0

    async def commit(self, changes: Sequence[Change]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("the disk is full")
        self.commits += 1
        for change in changes:
            self._write(change)

    def _write(self, change: Change) -> None:  # noqa: PLR0912 - a case a change
        match change:
            case SaveRun():
                assert change.new is (change.run.run_id not in self.runs), f"{change.run.run_id} twice"
                self.runs[change.run.run_id] = change.run
                log = self.logs.setdefault(change.run.run_id, [])
                log.extend(change.entries)
                assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
                if change.output is not None:
                    self.outputs[change.run.run_id] = change.output
            case WithdrawRun():
                self.runs.pop(change.run.run_id, None)
                self.logs.pop(change.run.run_id, None)
            case SavePlanned():
                self.remake.discard(change.job_id)
                if change.remake:
                    self.remake.add(change.job_id)
                if change.until is None:
                    self.planned.pop(change.job_id, None)
                else:
                    self.planned[change.job_id] = change.until
            case SaveHandled():
                self.handled = change.at
            case SaveApplied():
                self.applied.append(change)
            case SaveDelivery():
                assert change.delivery.key not in self.pending, f"{change.delivery.key} twice"
                self.pending[change.delivery.key] = (change.delivery.created, change.delivery)
            case SettleDelivery():
                was = self.pending.pop(change.key, None)
                if was is not None and change.retry_at is not None:
                    self.pending[change.key] = (change.retry_at, replace(was[1], tries=was[1].tries + 1))
                self.settled.append(change)
            case SaveMissed():
                self.spans.append(change.missed)

    async def load_run(self, run_id: str) -> Run | None:
        return self.runs.get(run_id)

    async def finished_states(self, instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
        found: dict[Instance, set[State]] = {instance: set() for instance in instances}
        for run in self.runs.values():
            if run.state.finished and run.instance in found:
                found[run.instance].add(run.state)
        return [frozenset(found[instance]) for instance in instances]

    async def usual_duration(self, job_id: str) -> float | None:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreError("disk I/O error")
        if job_id in self.usual:
            return self.usual[job_id]
        runs = [run for run in self.runs.values() if run.job_id == job_id and run.state is State.SUCCESS]
        runs.sort(key=lambda run: run.schedule_time)
        took = [s for run in runs[-USUAL_OF:] if (s := _seconds(self.logs[run.run_id])) is not None]
        return median(took) if len(took) >= USUAL_FROM else None

    async def deliveries(self, now: Instant, limit: int) -> Sequence[Delivery]:
        due = sorted((at, d.created, d.key) for at, d in self.pending.values() if at <= now)
        return [self.pending[key][1] for _, _, key in due[:limit]]

    async def next_delivery_at(self, after: Instant) -> Instant | None:
        return min((at for at, _ in self.pending.values() if at > after), default=None)

    async def missed(self, job_id: str, limit: int) -> Sequence[Missed]:
        return [span for span in reversed(self.spans) if span.job_id == job_id][:limit]

    async def restore(self, now: Instant) -> Restored:
        return Restored(
            runs=tuple(
                sorted(
                    (run for run in self.runs.values() if not run.state.finished),
                    key=lambda run: (run.schedule_time, run.run_id),
                )
            ),
            planned=dict(self.planned),
            remake=frozenset(self.remake),
            settled={
                r.run_id: r.schedule_time
                for r in self.runs.values()
                if r.state.finished and not r.adhoc and r.schedule_time > min(now, self.planned.get(r.job_id, now))
            },
            handled=self.handled,
        )


def _seconds(entries: Sequence[LogEntry]) -> float | None:
    """Return the seconds from when the run last began to run until it ended."""
    began = ended = None
    before = None
    for entry in entries:
        if entry.state is State.RUNNING and before is not State.RUNNING:
            began, ended = entry.time, None
        elif entry.state.finished and ended is None:
            ended = entry.time
        before = entry.state
    return (ended - began).total("seconds") if began is not None and ended is not None else None
