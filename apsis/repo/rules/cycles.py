"""Jobs that schedule each other without end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final

from apsis.repo.rules.found import Snapshot
from apsis.repo.rules.jobs import action_naming
from apsis.spec import models
from apsis.spec.complain import Complaint
from apsis.spec.instances import full_id
from apsis.spec.judged import Found, Judged
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


def actions_come_to_an_end(snapshot: Snapshot, judged: Mapping[str, Judged]) -> Iterator[tuple[str, Found]]:
    """Yield a warning for each cycle of actions that all happen on success, with the file that it stands in."""
    edges = _edges(snapshot, judged)
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


def _edges(snapshot: Snapshot, judged: Mapping[str, Judged]) -> Edges:
    shared = snapshot.loaded.settings.shared
    for_all = [
        (FILE, action_naming(shared.path(number), action))
        for number, action in enumerate(shared.actions)
        if isinstance(action, models.ScheduleJob)
    ]
    edges: Edges = {}
    for job_id, job in snapshot.jobs.items():
        own = [(job.source.path, naming) for naming in judged[job_id].namings if naming.on_success]
        if not (own or for_all):
            continue
        targets = {
            full_id(job.source.repo, naming.job_id): Edge(file, naming.path)
            for file, naming in reversed((*own, *for_all))
            if naming.on_success and naming.here
        }
        known = {target: targets[target] for target in sorted(targets) if target in snapshot.jobs}
        if known:
            edges[job_id] = known
    return dict(sorted(edges.items()))


def _without(edges: Edges, blamed: Edge) -> Edges:
    left = {job: {to: edge for to, edge in targets.items() if edge != blamed} for job, targets in edges.items()}
    return {job: targets for job, targets in left.items() if targets}


def _cycle(edges: Edges) -> list[str] | None:
    """Return the jobs of one cycle, in the order in which they schedule each other, from the first by name on."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][:0:-1]
        start = cycle.index(min(cycle))
        return [*cycle[start:], *cycle[:start]]
    return None
