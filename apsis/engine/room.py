"""Room: limits on running instances, and pools. Who finds none queues at what refused it, first by schedule time.

Everything is asked and taken while the book decides, where nothing can interleave: no race lets one more start.
A queued run stands in exactly one queue. When room comes, the first in the queue is asked again with all that it
waits for; it starts, or it queues at whatever refuses it next.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apsis.domain.condition import Cap, Instance
from apsis.domain.policy import Pool, PoolPolicy
from apsis.domain.run import Run
from apsis.engine.view import ON, View
from apsis.lib.instant import to_ms

Key = Instance | str
"""What has room: an instance, or a pool by name."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """How full a pool is: its size and the slots taken, how many runs wait for it, some of the runs that are in it."""

    name: str
    size: int
    taken: int
    waiting: int
    holders: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room at `key` for a run; `reason` says it in words. `policy` is a pool's."""

    key: Key
    reason: str
    policy: PoolPolicy = "wait"
    slots: int = 1


class Room:
    """Who must wait for room, and whether there is some."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.sizes: dict[str, int] = {}
        self._queues: dict[Key, list[tuple[int, str]]] = {}
        self._at: dict[str, Key] = {}

    def of_instance(self, run: Run, cap: Cap) -> Full | None:
        """Return why the run cannot start beside the others of the instance; None: it can."""
        on = self._view.count(cap.instance, ON)
        if on < cap.most and not self._is_behind(run, cap.instance):
            return None
        return Full(cap.instance, f"{on} of at most {cap.most} running of {_name(cap.instance)}")

    def of_pool(self, run: Run, pool: Pool) -> Full | None:
        """Return why the pool has no room for the run; None: it has. A pool that is gone limits nobody."""
        size = self.sizes.get(pool.name)
        if size is None:
            return None
        # A pool may have been made smaller than what a run was bound to: alone in it, that starts.
        used, slots = self._view.taken(pool.name), min(pool.slots, size)
        if used + slots <= size and not self._is_behind(run, pool.name):
            return None
        reason = f"pool {pool.name} has {size - used} of {size} free, {slots} needed"
        return Full(pool.name, reason, pool.policy, slots)

    def queue(self, run: Run, key: Key) -> None:
        """Let the run wait for room at `key`, in the order of schedule times."""
        if self._at.get(run.run_id) == key:
            return
        self._at[run.run_id] = key
        heapq.heappush(self._queues.setdefault(key, []), _order(run))

    def leave(self, run_id: str) -> None:
        """Let the run wait for room no more."""
        self._at.pop(run_id, None)

    def first(self, key: Key) -> str | None:
        """Return the first run that waits at `key`."""
        queue = self._queues.get(key, [])
        while queue and self._at.get(queue[0][1]) != key:
            heapq.heappop(queue)
        if not queue:
            self._queues.pop(key, None)
            return None
        return queue[0][1]

    def resize(self, old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[str]:
        """Take over a repository's pools; yields the names of those that may have more room now."""
        for name in old.keys() - new.keys():
            del self.sizes[name]
            yield name
        for name, size in new.items():
            if size > old.get(name, 0):
                yield name
            self.sizes[name] = size

    def place_of(self, run_id: str) -> Key | None:
        """Return where the run waits for room; None: nowhere."""
        return self._at.get(run_id)

    def holders(self, key: Key, limit: int) -> list[str]:
        """Return the ids of some runs that take up the room at `key`, the longest in it first."""
        if isinstance(key, str):
            return list(self._view.in_pool(key))[:limit]
        return list(self._view.of_instance(key, ON, limit))

    def pools(self, most_holders: int) -> Sequence[PoolState]:
        """Return the pools by name."""
        waiting = Counter(self._at.values())
        return [
            PoolState(
                name,
                self.sizes[name],
                self._view.taken(name),
                waiting[name],
                tuple(self._view.some(self.holders(name, most_holders))),
            )
            for name in sorted(self.sizes)
        ]

    def _is_behind(self, run: Run, key: Key) -> bool:
        """Return whether another run waits at `key` that is to go first."""
        first = self.first(key)
        if first is None or first == run.run_id:
            return False
        return self._queues[key][0] < _order(run)


def _order(run: Run) -> tuple[int, str]:
    return to_ms(run.schedule_time), run.run_id


def _name(instance: Instance) -> str:
    return " ".join((instance.job_id, *(f"{name}={value}" for name, value in instance.args.items())))
