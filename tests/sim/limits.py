"""Time limits and deadlines at a commit: each breach is reported once, and none that was none."""

from typing import TYPE_CHECKING

from whenever import Instant, TimeDelta

from apsis.domain.state import State
from tests.sim.store import ON

if TYPE_CHECKING:
    from apsis.domain.run import Run
    from tests.sim.promises import Commit, Move, Promises

SLACK_S = 0.002
"""Instants are whole milliseconds, elapsed time is not."""


def check(promises: "Promises", commit: "Commit") -> None:
    """Look at what was said to be late, and at what was late and nobody said so."""
    server = commit.server
    for run, kind, _ in commit.late:
        if not _is_late(run, kind, commit):
            raise promises.broke("late only what is late", f"{run.run_id} has missed {kind}")
    for move in commit.moves:
        _ended_by_time(promises, commit, move)
        _late_unsaid(promises, commit, move)
    for move in commit.moves:
        server.before_since.pop(move.run.run_id, None)


def _is_late(run: "Run", kind: str, commit: "Commit") -> bool:
    assert run.bound is not None
    deadlines, server = run.bound.deadlines, commit.server
    now = server.decided_at
    if kind == "longer_than":
        ran = server.decided - server.running_since.get(run.run_id, server.decided)
        limits = [deadlines.longer_than_s]
        if deadlines.longer_than_factor is not None:
            limits.append(deadlines.longer_than_factor * server.world.disk.usual.get(run.job_id, 1e9))
        return ran >= min(limit for limit in limits if limit is not None) - 2 * SLACK_S
    seconds = dict(deadlines.after_schedule_time()).get(kind)  # type: ignore[call-overload]
    return seconds is not None and now >= run.schedule_time + TimeDelta(seconds=seconds)


def _ended_by_time(promises: "Promises", commit: "Commit", move: "Move") -> None:
    run, message, server = move.run, move.entry.message, commit.server
    if not move.by_engine or run.bound is None:
        return
    limits = run.bound.limits
    elapsed = server.decided - server.before_since.get(run.run_id, server.decided)
    if move.after is State.STOPPING and message.startswith("timed out: ran"):
        timeout = run.bound.program.timeout
        least = min(s for s in (limits.running_s, timeout.duration_s if timeout else None) if s is not None)
        if elapsed < least - SLACK_S:
            raise promises.broke("no limit comes too early", f"{run.run_id} ran {elapsed} of {least} s")
    elif move.before is State.WAITING and message.startswith("waited longer"):
        waits = [limits.waiting_s, *(condition.timeout_s for condition in run.bound.conditions)]
        least = min(s for s in waits if s is not None)
        if elapsed < least - SLACK_S:
            raise promises.broke("no limit comes too early", f"{run.run_id} waited {elapsed} of {least} s")
    elif move.before is State.WAITING and message.startswith("not started within"):
        behind_s = limits.since_schedule_s
        if behind_s is None or move.entry.time < run.schedule_time + TimeDelta(seconds=behind_s):
            raise promises.broke("no limit comes too early", f"{run.run_id}: {message}")


def _late_unsaid(promises: "Promises", commit: "Commit", move: "Move") -> None:
    run = move.run
    if run.bound is None or move.marked:
        return
    late = dict(run.bound.deadlines.after_schedule_time())
    start_s, finish_s = late.get("start_by"), late.get("finish_by")
    time = move.entry.time
    starts = move.after is State.STARTING and move.attempt == 1
    if starts and "start_by" not in run.breached and _behind(run, start_s, time):
        raise promises.broke("every breach is reported", f"{run.run_id} starts at {time}, start_by {start_s} s")
    if move.before not in ON or not move.after.finished:
        return
    if "finish_by" not in run.breached and _behind(run, finish_s, time):
        raise promises.broke("every breach is reported", f"{run.run_id} ends at {time}, finish_by {finish_s} s")
    longer_s = run.bound.deadlines.longer_than_s
    if longer_s is None or move.before is not State.RUNNING or "longer_than" in run.breached:
        return
    if commit.server.decided - commit.server.running_since[run.run_id] > longer_s + SLACK_S:
        raise promises.broke("every breach is reported", f"{run.run_id} ran longer than {longer_s} s")


def _behind(run: "Run", seconds: float | None, time: Instant) -> bool:
    return seconds is not None and time > run.schedule_time + TimeDelta(seconds=seconds)
