"""Jobs with legal defaults, of which a test shows only what matters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whenever import Instant

from apsis.conditions.dependency import Dependency
from apsis.domain.action import Action
from apsis.domain.args import NO_ARGS, Args
from apsis.domain.condition import Condition
from apsis.domain.errors import BindError
from apsis.domain.job import Bound, Job, Source
from apsis.domain.jobset import File, JobSet
from apsis.domain.policy import ALWAYS, CatchUp
from apsis.domain.program import NoOp, Program
from apsis.domain.revision import Revision
from apsis.domain.schedule import Schedule
from apsis.domain.state import State
from apsis.schedules.interval import Interval

EPOCH = Instant.parse_iso("2026-11-24T12:00:00Z")


@dataclass(frozen=True)
class Plain:
    """A template with nothing to fill in; `broken` does not bind."""

    bound: Bound
    broken: bool = False
    program: Mapping[str, object] = None  # type: ignore[assignment]
    conditions: tuple[Mapping[str, object], ...] = ()
    schedules: tuple[Mapping[str, object], ...] = ()

    actions: tuple[Mapping[str, object], ...] = ()
    policies: Mapping[str, object] = field(default_factory=dict)

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        if self.broken:
            raise BindError("argv: 'dat' is undefined")
        return self.bound

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        return self.bound.actions


def every(seconds: float, *, jitter: float = 0, catch_up: CatchUp = ALWAYS, **args: str) -> Interval:
    return Interval(int(seconds * 1000), args=Args(args), jitter_ms=int(jitter * 1000), catch_up=catch_up)


def job(
    job_id: str = "tick",
    *,
    schedules: Sequence[Schedule] = (),
    params: tuple[str, ...] = (),
    program: Program | None = None,
    conditions: tuple[Condition, ...] = (),
    version: str = "1",
    broken: bool = False,
    repo: str = "",
    **bound: Any,
) -> Job:
    """Make a job; `bound` are the policies of `Bound`: actions, limits, retry, pools, deadlines."""
    written = tuple({"type": action.type} for action in bound.get("actions", ()))
    template = Plain(Bound(program or NoOp(), conditions, **bound), broken, {"type": "no-op"}, actions=written)
    source = Source(repo=repo, revision="rev", path=f"{job_id}.yaml", blob=f"{job_id}-{version}")
    return Job(job_id, params, tuple(schedules), template, source, text="program: {type: no-op}\n")


def depends_on(
    job_id: str, exist: bool = False, states: tuple[State, ...] = (State.SUCCESS,), **args: str
) -> Dependency:
    return Dependency(job_id, args, states, exist)


def job_set(*jobs: Job, revision: str = "rev", repo: str = "", pools: Mapping[str, int] | None = None) -> JobSet:
    return JobSet(
        repo,
        Revision(revision, "Ada", EPOCH, "a commit"),
        {j.job_id: j for j in jobs},
        {j.source.path: File(j.source.blob, j.text) for j in jobs},
        pools or {},
    )


__all__ = ["EPOCH", "NO_ARGS", "depends_on", "every", "job", "job_set"]
