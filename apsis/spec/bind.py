"""Binding: a job's templates filled in with a run's args."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whenever import Instant

from apsis.domain.action import Action
from apsis.domain.args import Args
from apsis.domain.condition import Condition
from apsis.domain.job import Bound
from apsis.spec import models
from apsis.spec.bind_actions import Acting, bind_action, with_places
from apsis.spec.bind_conditions import Asking, bind_condition
from apsis.spec.bind_policies import bind_deadlines, bind_limits, bind_pools, bind_retry
from apsis.spec.bind_program import bind_program
from apsis.spec.fill import Filler
from apsis.spec.instances import Jobs
from apsis.spec.kept import Kept
from apsis.spec.names import names_of


@dataclass(frozen=True, slots=True)
class Shared:
    """What apsis.yaml adds to every job: actions, as models and as written, in a list or not."""

    actions: tuple[models.Action, ...] = ()
    written: tuple[Mapping[str, Any], ...] = ()
    is_list: bool = True

    def path(self, number: int) -> tuple[str | int, ...]:
        """Return the place of an action in the file."""
        return ("actions", number) if self.is_list else ("actions",)


NOTHING_SHARED = Shared()


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """The unbound part of a job: its file.

    `params` has the params of all jobs of the repository by full id, which say what args others need; None
    where there is no repository.
    """

    kept: Kept
    repo: str = ""
    shared: Shared = NOTHING_SHARED
    params: Mapping[str, tuple[str, ...]] | None = field(default=None, compare=False, repr=False)

    @property
    def file(self) -> models.JobFile:
        """The file's models."""
        return self.kept.file

    @property
    def written(self) -> Mapping[str, Any]:
        """The file as written."""
        return self.kept.written

    @property
    def program(self) -> Mapping[str, object]:
        """The program as written."""
        written: Mapping[str, object] = self.written["program"]
        return written

    @property
    def conditions(self) -> tuple[Mapping[str, object], ...]:
        """The conditions as written."""
        return tuple(listed(self.written.get("condition")) or listed(self.written.get("conditions")))

    @property
    def own_actions(self) -> tuple[Mapping[str, object], ...]:
        """The actions as written, without those of apsis.yaml and successors."""
        return tuple(listed(self.written.get("action")) or listed(self.written.get("actions")))

    @property
    def actions(self) -> tuple[Mapping[str, object], ...]:
        """The actions as written, with those of apsis.yaml; a successor is shown as the action that it is."""
        successors = (_shown(successor) for successor in self.file.successors)
        return (*self.own_actions, *successors, *self.shared.written)

    @property
    def schedules(self) -> tuple[Mapping[str, object], ...]:
        """The schedules as written."""
        return tuple(listed(self.written.get("schedule")))

    @property
    def policies(self) -> Mapping[str, object]:
        """Limits, retry, pool and deadlines as written; those that there are."""
        return {key: self.written[key] for key in ("limits", "retry", "pool", "deadlines") if key in self.written}

    @property
    def metadata(self) -> Mapping[str, object]:
        """The metadata as written."""
        return self.written.get("metadata") or {}

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        """Fill in the templates; raise BindError, naming the place."""
        filler = self._filler(job_id, run_id, args, schedule_time)
        file = self.file
        return Bound(
            program=bind_program(file.program, filler),
            conditions=self._conditions(job_id, args, filler),
            actions=self._actions(args, filler),
            limits=bind_limits(file.limits),
            retry=bind_retry(file.retry),
            pools=bind_pools(file.pool, self.repo),
            deadlines=bind_deadlines(file.deadlines),
        )

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        """Fill in the actions alone; raise BindError, naming the place."""
        return self._actions(args, self._filler(job_id, run_id, args, schedule_time))

    def _filler(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Filler:
        return Filler(names_of(job_id, run_id, args, schedule_time, self.kept.calendars))

    def _conditions(self, job_id: str, args: Args, filler: Filler) -> tuple[Condition, ...]:
        jobs = Jobs(self.repo, self.params)
        bound = (
            bind_condition(written, Asking(job_id, args, jobs, filler, f"condition {number}"))
            for number, written in enumerate(conditions_of(self.file), 1)
        )
        return tuple(condition for condition in bound if condition is not None)

    def _actions(self, args: Args, filler: Filler) -> tuple[Action, ...]:
        jobs = Jobs(self.repo, self.params)
        return tuple(
            bind_action(written, Acting(args, jobs, filler, place))
            for place, written in with_places(self.file, self.shared.actions)
        )


def conditions_of(file: models.JobFile) -> tuple[models.Condition, ...]:
    """Return the conditions of either spelling."""
    return file.condition or file.conditions


def listed(written: Any) -> Sequence[Any]:
    """Return a list for one, a list, or nothing."""
    if written is None:
        return []
    return written if isinstance(written, list | tuple) else [written]


def _shown(successor: models.Successor) -> Mapping[str, object]:
    shown: dict[str, object] = {"type": "schedule", "job_id": successor.job_id}
    if successor.args:
        shown["args"] = dict(successor.args)
    return {**shown, "if": {"states": ["success"]}}
