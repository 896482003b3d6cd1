"""Jobs that schedule each other without end."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Final

from apsis.domain.state import State
from apsis.lib.template import is_template
from apsis.repo.rules.found import Found, Snapshot
from apsis.repo.rules.jobs import schedule_actions
from apsis.spec import models
from apsis.spec.bind import JobTemplate
from apsis.spec.bind_actions import bind_if
from apsis.spec.complain import Complaint
from apsis.spec.instances import ELSEWHERE, full_id
from apsis.spec.yaml import Path

MOST: Final = 20
"""Cycles that are told of; who has more reads the first."""


def actions_come_to_an_end(snapshot: Snapshot) -> Iterator[tuple[str, Found]]:
    """Yield a warning for each cycle of actions that all happen on success, with the id of the job it stands in."""
    edges = {job_id: targets for job_id in sorted(snapshot.jobs) if (targets := _targets(job_id, snapshot))}
    for _ in range(MOST):
        cycle = _cycle(edges)
        if cycle is None:
            return
        first, second = cycle[0], cycle[1 % len(cycle)]
        path = edges[first].pop(second)
        way = " → ".join((*cycle, first))
        message = f"on success these schedule each other without end: {way}"
        if len(cycle) == 1:
            message = "on success the job schedules itself, without end"
        help_ = "Limit one of the actions with if, or give the job a schedule."
        yield first, Found(Complaint("action_cycle", path, message, help_), "warning")


def _targets(job_id: str, snapshot: Snapshot) -> dict[str, Path]:
    """Return the jobs that each success of a job schedules, with the paths of the actions in its file."""
    template = snapshot.jobs[job_id].template
    targets: dict[str, Path] = {}
    if isinstance(template, JobTemplate):
        for path, action in schedule_actions(template):
            if _always(action):
                targets.setdefault(full_id(template.repo, action.job_id), path)
    return {target: path for target, path in sorted(targets.items()) if target in snapshot.jobs}


def _always(action: models.ScheduleJob) -> bool:
    if is_template(action.job_id) or action.job_id.startswith(ELSEWHERE):
        return False
    return bind_if(action.if_).on_state(State.SUCCESS, 1, again=False)


def _cycle(edges: dict[str, dict[str, Path]]) -> list[str] | None:
    """Return the jobs of one cycle, in the order in which they schedule each other, from the first by name on."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
        start = cycle.index(min(cycle))
        return [*cycle[start:], *cycle[:start]]
    return None
