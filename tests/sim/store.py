"""The database of a world: it outlives every server, and lets each commit be looked at."""

from collections import Counter
from collections.abc import Callable, Sequence

from apsis.domain.condition import Instance
from apsis.domain.run import Run
from apsis.domain.state import State
from apsis.engine.ports import Change, SaveRun, WithdrawRun
from tests.support.memory_store import MemoryStore

ON = frozenset({State.STARTING, State.RUNNING, State.STOPPING})


class Disk(MemoryStore):
    """The store in memory, with indexes for those who check it: the runs under way, and the states by instance."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.unfinished: dict[str, Run] = {}
        self.busy: dict[str, Run] = {}
        self.states: dict[Instance, Counter[State]] = {}

    def write(self, changes: Sequence[Change], before: Callable[[SaveRun, Run | None], None]) -> None:
        """Make the changes durable; `before` sees each run with what is on disk of it so far."""
        self.commits += 1
        for change in changes:
            if type(change) is SaveRun:
                old = self.runs.get(change.run.run_id)
                before(change, old)
                self._index(change.run, old)
            elif type(change) is WithdrawRun:
                self._unindex(change.run.run_id)
            self._write(change)

    def on(self, instance: Instance) -> int:
        """Return how many runs of the instance take up room."""
        counts = self.states.get(instance)
        return sum(counts[state] for state in ON) if counts else 0

    async def finished_states(self, instances: Sequence[Instance]) -> Sequence[frozenset[State]]:
        found = (self.states.get(instance, {}) for instance in instances)
        return [frozenset(s for s, n in counts.items() if n and s.finished) for counts in found]

    async def usual_duration(self, job_id: str) -> float | None:
        return self.usual.get(job_id)

    def _index(self, run: Run, old: Run | None) -> None:
        counts = self.states.setdefault(run.instance, Counter())
        if old is not None:
            counts[old.state] -= 1
        counts[run.state] += 1
        if run.state.finished:
            self.unfinished.pop(run.run_id, None)
            self.busy.pop(run.run_id, None)
            return
        self.unfinished[run.run_id] = run
        if run.state is State.SCHEDULED:
            self.busy.pop(run.run_id, None)
        else:
            self.busy[run.run_id] = run

    def _unindex(self, run_id: str) -> None:
        if (old := self.runs.get(run_id)) is not None:
            self.states[old.instance][old.state] -= 1
            self.unfinished.pop(run_id, None)
            self.busy.pop(run_id, None)
