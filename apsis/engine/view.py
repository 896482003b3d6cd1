"""What the engine knows: the applied jobs, and every unfinished run. A finished run is only in the store."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence

from whenever import Instant

from apsis.domain.condition import Instance
from apsis.domain.job import Job
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.lib.instant import to_ms


class View:
    """Jobs by id, unfinished runs by id, by instance and, while scheduled, by job and time."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.planned: dict[str, Instant] = {}
        self._runs: dict[str, Run] = {}
        self._states: dict[Instance, Counter[State]] = {}
        self._coming: dict[str, list[tuple[int, str]]] = {}
        self._settled: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: str) -> Run | None:
        """Return an unfinished run."""
        return self._runs.get(run_id)

    def runs(self) -> Iterable[Run]:
        """Return every unfinished run."""
        return self._runs.values()

    def put(self, run: Run) -> None:
        """Take in a run as it is now; a finished one is let go of."""
        self.drop(run.run_id)
        if run.state.finished:
            return
        self._runs[run.run_id] = run
        self._states.setdefault(run.instance, Counter())[run.state] += 1
        if run.state is State.SCHEDULED:
            insort(self._coming.setdefault(run.job_id, []), (to_ms(run.schedule_time), run.run_id))

    def drop(self, run_id: str) -> None:
        """Forget a run."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        states = self._states[run.instance]
        states[run.state] -= 1
        if not +states:
            del self._states[run.instance]
        if run.state is State.SCHEDULED:
            coming = self._coming[run.job_id]
            del coming[bisect_left(coming, (to_ms(run.schedule_time), run_id))]
            if not coming:
                del self._coming[run.job_id]

    def states(self, instance: Instance) -> frozenset[State]:
        """Return the states in which the instance has an unfinished run."""
        return frozenset(+self._states.get(instance, Counter()))

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
