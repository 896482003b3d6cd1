"""What the engine knows: the applied jobs, and every unfinished run. A finished run is only in the store."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from whenever import Instant

from apsis.domain.condition import Instance
from apsis.domain.job import Job
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.instant import to_ms

ON: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""The states in which a run takes up room: of its instance's limits, and of its pools."""

NONE: Final[Mapping[str, int]] = {}


class _Runs(NamedTuple):
    """The unfinished runs of an instance that has several: each one's state, and how many are in a state."""

    states: dict[str, State]
    counts: dict[State, int]


class View:
    """Jobs by id, unfinished runs by id, by instance and, while scheduled, by job and time; and who is in a pool."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.planned: dict[str, Instant] = {}
        self._runs: dict[str, Run] = {}
        self._instances: dict[Instance, str | _Runs] = {}  # most have one run, and its id is a tenth of a record
        self._coming: dict[str, list[tuple[int, str]]] = {}
        self._settled: dict[str, int] = {}
        self._pools: dict[str, dict[str, int]] = {}
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: str) -> Run | None:
        """Return an unfinished run."""
        return self._runs.get(run_id)

    def some(self, run_ids: Iterable[str]) -> Iterable[Run]:
        """Return those of the runs that are unfinished."""
        return [self._runs[run_id] for run_id in run_ids if run_id in self._runs]

    def runs(self) -> Iterable[Run]:
        """Return every unfinished run."""
        return self._runs.values()

    def put(self, run: Run) -> None:
        """Take in a run as it is now; a finished one is let go of."""
        before = self._runs.get(run.run_id)
        if before is not None and before.state is run.state:
            self._runs[run.run_id] = run
            return
        if run.state not in ON:
            self._leave_pools(before)
        elif before is None or before.state not in ON:
            self._enter_pools(run)
        if run.state.finished:
            if before is not None:
                del self._runs[run.run_id]
                self._unindex(before)
            return
        self._runs[run.run_id] = run
        if before is None:
            self._index(run)
        else:
            self._move(before, run)

    def drop(self, run_id: str) -> None:
        """Forget a run."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            self._unindex(run)
            self._leave_pools(run)

    def states(self, instance: Instance) -> frozenset[State]:
        """Return the states in which the instance has an unfinished run."""
        match self._instances.get(instance):
            case None:
                return frozenset()
            case str(run_id):
                return frozenset((self._runs[run_id].state,))
            case of:
                return frozenset(state for state, count in of.counts.items() if count)

    def count(self, instance: Instance, states: frozenset[State]) -> int:
        """Return how many unfinished runs of the instance are in one of `states`."""
        match self._instances.get(instance):
            case None:
                return 0
            case str(run_id):
                return int(self._runs[run_id].state in states)
            case of:
                return sum(of.counts.get(state, 0) for state in states)

    def of_instance(self, instance: Instance, states: frozenset[State], limit: int) -> Sequence[str]:
        """Return the ids of some unfinished runs of the instance in one of `states`, the oldest first."""
        match self._instances.get(instance):
            case None:
                return []
            case str(run_id):
                return [run_id][:limit] if self._runs[run_id].state in states else []
            case of:
                return list(islice((run_id for run_id, state in of.states.items() if state in states), limit))

    def in_pool(self, name: str) -> Mapping[str, int]:
        """Return how many slots of a pool each run takes, who is longest in it first."""
        return self._pools.get(name, NONE)

    def taken(self, pool: str) -> int:
        """Return how many slots of a pool are taken."""
        return self._taken[pool]

    def coming(self, job_id: str, limit: int | None = None) -> Sequence[Run]:
        """Return the job's scheduled runs, soonest first."""
        return [self._runs[run_id] for _, run_id in self._coming.get(job_id, [])[:limit]]

    def settle(self, run_id: str, schedule_time: Instant) -> None:
        """Remember a schedule's run that was decided before its time (skipped, or started by hand).

        Planning the job again, after a commit, must not make it a second time.
        """
        self._settled[run_id] = to_ms(schedule_time)

    def is_settled(self, run_id: str) -> bool:
        """Return whether the run was decided before its time."""
        return run_id in self._settled

    def forget_settled(self, planned: Instant) -> None:
        """Let go of what no plan can make again: plans begin after `planned`."""
        planned_ms = to_ms(planned)
        for run_id in [run_id for run_id, at in self._settled.items() if at <= planned_ms]:
            del self._settled[run_id]

    def _index(self, run: Run) -> None:
        of = self._instances.get(instance := run.instance)
        if of is None:
            self._instances[instance] = run.run_id
        else:
            if isinstance(of, str):
                state = self._runs[of].state
                of = self._instances[instance] = _Runs({of: state}, {state: 1})
            of.states[run.run_id] = run.state
            of.counts[run.state] = of.counts.get(run.state, 0) + 1
        if run.state is State.SCHEDULED:
            self._comes(run)

    def _move(self, before: Run, after: Run) -> None:
        of = self._instances[after.instance]
        if not isinstance(of, str):
            of.states[after.run_id] = after.state
            of.counts[before.state] -= 1
            of.counts[after.state] = of.counts.get(after.state, 0) + 1
        if before.state is State.SCHEDULED:
            self._comes_no_more(before)
        elif after.state is State.SCHEDULED:
            self._comes(after)

    def _unindex(self, run: Run) -> None:
        of = self._instances[instance := run.instance]
        if isinstance(of, str):
            del self._instances[instance]
        else:
            del of.states[run.run_id]
            of.counts[run.state] -= 1
            if not of.states:
                del self._instances[instance]
        if run.state is State.SCHEDULED:
            self._comes_no_more(run)

    def _comes(self, run: Run) -> None:
        insort(self._coming.setdefault(run.job_id, []), (to_ms(run.schedule_time), run.run_id))

    def _comes_no_more(self, run: Run) -> None:
        coming = self._coming[run.job_id]
        del coming[bisect_left(coming, (to_ms(run.schedule_time), run.run_id))]
        if not coming:
            del self._coming[run.job_id]

    def _enter_pools(self, run: Run) -> None:
        for pool in run.bound.pools if run.bound is not None else ():
            held = self._pools.setdefault(pool.name, {})
            if run.run_id not in held:
                held[run.run_id] = pool.slots
                self._taken[pool.name] += pool.slots

    def _leave_pools(self, run: Run | None) -> None:
        if run is None or run.state not in ON or run.bound is None:
            return
        for pool in run.bound.pools:
            held = self._pools.get(pool.name)
            if held is None or run.run_id not in held:
                continue  # a row that somebody edited may name a pool twice
            self._taken[pool.name] -= held.pop(run.run_id)
            if not held:
                del self._pools[pool.name], self._taken[pool.name]
