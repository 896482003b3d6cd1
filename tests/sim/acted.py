"""Actions at a commit: each change that matches makes exactly one delivery, or one run of another job."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from apsis.domain.action import Action, ScheduleJob
from apsis.engine.ports import SaveDelivery

if TYPE_CHECKING:
    from apsis.domain.run import Run
    from tests.sim.promises import Commit, Promises

What = tuple[str, str, str]
"""A run, the state that it entered, and the deadline that it missed, if it is about that."""


def check(promises: "Promises", commit: "Commit") -> None:
    """Compare what the actions say with what the commit has."""
    matching = list(_matching(commit))
    wanted = Counter(what for action, what in matching if not isinstance(action, ScheduleJob))
    jobs = Counter(what[0] for action, what in matching if isinstance(action, ScheduleJob))
    made: Counter[What] = Counter()
    for change in commit.changes:
        if type(change) is SaveDelivery:
            event = change.delivery.event
            kind = event.get("deadline", "")
            made[change.delivery.run_id, "" if kind else event["state"], kind] += 1
    if wanted != made and not (commit.applied and _some_unbound(commit)):
        raise promises.broke("one delivery a change", f"wanted {dict(wanted - made)}, too many {dict(made - wanted)}")
    _runs(promises, commit, jobs)


def _matching(commit: "Commit") -> Iterator[tuple[Action, What]]:
    for move in commit.moves:
        for action in () if move.marked else _actions(commit, move.run):
            if action.if_.on_state(move.after, move.attempt, again=move.again):
                yield action, (move.run.run_id, move.after.value, "")
    for run, kind, attempt in commit.late:
        for action in _actions(commit, run):
            if action.if_.on_deadline(kind, attempt):  # type: ignore[arg-type]
                yield action, (run.run_id, "", kind)


def _runs(promises: "Promises", commit: "Commit", wanted: Counter[str]) -> None:
    if commit.applied and _some_unbound(commit):
        return
    made: Counter[str] = Counter()
    for run in commit.new.values():
        first = promises.world.disk.logs[run.run_id][0].message
        if first.startswith("scheduled by run "):
            made[first.removeprefix("scheduled by run ")] += 1
    refused = Counter(run.run_id for run, note in commit.notes if "not scheduled: " in note)
    if wanted != made + refused:
        raise promises.broke("one run an action", f"wanted {dict(wanted)}, made {dict(made)}, refused {dict(refused)}")


def _actions(commit: "Commit", run: "Run") -> Sequence[Action]:
    if run.bound is not None:
        return run.bound.actions
    job = commit.server.engine.jobs.get(run.job_id)
    return job.template.bind_actions(run.job_id, run.run_id, run.args, run.nominal_time) if job is not None else ()


def _some_unbound(commit: "Commit") -> bool:
    """Whether runs may have had the actions of a job that is another now, which nobody can tell from the commit."""
    return any(move.run.bound is None for move in commit.moves)
