"""What must be true when the engine itself starts a run: conditions, limits, pools; and nothing while held."""

from typing import TYPE_CHECKING

from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import FileExists
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.state import State
from tests.sim.store import ON

if TYPE_CHECKING:
    from apsis.domain.condition import Condition
    from tests.sim.promises import Commit, Move, Promises


def check(promises: "Promises", commit: "Commit") -> None:
    """Look at every run that the engine, and no person, started in a commit."""
    started = [move for move in commit.moves if move.after is State.STARTING]
    forced = any(not move.by_engine for move in started)
    for move in started:
        if move.by_engine:
            _held(promises, commit, move)
            _conditions(promises, commit, move, forced=forced)
            if not forced:
                _pools(promises, move)


def _held(promises: "Promises", commit: "Commit", move: "Move") -> None:
    since = commit.server.held_since
    if since is not None and (not move.run.adhoc or move.run.due_at <= since):
        raise promises.broke("nothing starts while held", move.run.run_id)


def _pools(promises: "Promises", move: "Move") -> None:
    world = promises.world
    sizes = world.server.engine._book.room.sizes if world.server is not None else {}
    assert move.run.bound is not None
    for pool in move.run.bound.pools:
        size = sizes.get(pool.name)
        if size is None:
            continue
        taken = sum(
            min(other.slots, size)  # one that was bound to more than there is now starts alone
            for run in world.disk.busy.values()
            if run.state in ON and run.bound is not None
            for other in run.bound.pools
            if other.name == pool.name
        )
        if taken > size:
            raise promises.broke("pools are never exceeded", f"{taken} of {size} taken by {move.run.run_id}")


def _conditions(promises: "Promises", commit: "Commit", move: "Move", *, forced: bool) -> None:
    assert move.run.bound is not None
    for number, condition in enumerate(move.run.bound.conditions):
        if not _held_true(promises, commit, move, number, condition, forced=forced):
            raise promises.broke("a run starts when its conditions hold", f"{move.run.run_id}: {condition.describe()}")


def _held_true(
    promises: "Promises", commit: "Commit", move: "Move", number: int, condition: "Condition", *, forced: bool
) -> bool:
    disk, run = promises.world.disk, move.run
    match condition:
        case Dependency():
            counts = disk.states.get(condition.instance, {})
            return any(counts.get(state) for state in condition.states) or any(
                other.run.instance == condition.instance and {other.before, other.after} & set(condition.states)
                for other in commit.moves
            )
        case MaxRunning():
            return forced or disk.on(condition.instance) <= condition.count or _others_too(commit, move, condition)
        case SkipDuplicate():
            others = (r for r in disk.busy.values() if r.instance == run.instance and r.run_id != run.run_id)
            on = any(r.state in (State.STARTING, State.RUNNING) for r in others)
            return forced or not on or _others_too(commit, move, condition)
        case FileExists():
            return commit.server.answers.get((run.run_id, move.attempt, number), False)
        case _:
            return getattr(condition, "value", True)


def _others_too(commit: "Commit", move: "Move", condition: "Condition") -> bool:
    """Whether runs of the instance that do not have the same condition started with it, as they may."""
    return any(
        other is not move
        and other.after is State.STARTING
        and other.run.instance == move.run.instance
        and other.run.bound is not None
        and condition not in other.run.bound.conditions
        for other in commit.moves
    )
