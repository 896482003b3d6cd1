"""Jobs that schedule each other without end."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from apsis.spec.settings import FILE
from apsis.spec.yaml import Path

MOST: Final = 20
"""Cycles that are told of; who has more reads the first."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The action that leads from one job to another; `file` is that of the job, or apsis.yaml."""

    file: str
    path: Path


Edges = dict[str, dict[str, Edge]]
"""What each job schedules when it succeeds, by the ids of both."""


def actions_come_to_an_end(snapshot: Snapshot) -> Iterator[tuple[str, Found]]:
    """Yield a warning for each cycle of actions that all happen on success, with the file that it stands in."""
    edges = _edges(snapshot)
    for _ in range(MOST):
        cycle = _cycle(edges)
        if cycle is None:
            return
        steps = [edges[job][then] for job, then in zip(cycle, (*cycle[1:], cycle[0]), strict=True)]
        blamed = next((edge for edge in steps if edge.file == FILE), steps[0])
        message = f"on success these schedule each other without end: {' → '.join((*cycle, cycle[0]))}"
        if len(cycle) == 1:
            message = f"on success {cycle[0]} schedules itself, without end"
        help_ = "Limit one of the actions with if, or give the job a schedule."
        yield blamed.file, Found(Complaint("action_cycle", blamed.path, message, help_), "warning")
        edges = _without(edges, blamed)


def _edges(snapshot: Snapshot) -> Edges:
    shared = snapshot.loaded.settings.shared
    for_all = [
        (FILE, shared.path(number), action)
        for number, action in enumerate(shared.actions)
        if isinstance(action, models.ScheduleJob)
    ]
    edges: Edges = {}
    for job_id, job in sorted(snapshot.jobs.items()):
        if not isinstance(job.template, JobTemplate):
            continue
        if not (for_all or job.template.file.acts):
            continue
        own = [(job.source.path, path, action) for path, action in schedule_actions(job.template)]
        targets = {
            full_id(job.template.repo, action.job_id): Edge(file, path)
            for file, path, action in reversed((*own, *for_all))
            if _always(action)
        }
        known = {target: targets[target] for target in sorted(targets) if target in snapshot.jobs}
        if known:
            edges[job_id] = known
    return edges


def _without(edges: Edges, blamed: Edge) -> Edges:
    left = {job: {to: edge for to, edge in targets.items() if edge != blamed} for job, targets in edges.items()}
    return {job: targets for job, targets in left.items() if targets}


def _always(action: models.ScheduleJob) -> bool:
    if is_template(action.job_id) or action.job_id.startswith(ELSEWHERE):
        return False
    return bind_if(action.if_).on_state(State.SUCCESS, 1, again=False)


def _cycle(edges: Edges) -> list[str] | None:
    """Return the jobs of one cycle, in the order in which they schedule each other, from the first by name on."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
        start = cycle.index(min(cycle))
        return [*cycle[start:], *cycle[:start]]
    return None
