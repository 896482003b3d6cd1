"""Binding actions: from what is written to what else happens; texts of messages stay templates until one is made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from apsis.domain.action import Action, DeadlineKind, Email, If, ScheduleJob, Webhook
from apsis.domain.args import Args
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.spec import models
from apsis.spec.fill import Filler
from apsis.spec.instances import Jobs
from apsis.spec.outside import to_address, to_url

ALL_DEADLINES: Final[tuple[DeadlineKind, ...]] = get_args(DeadlineKind)
ON_SUCCESS: Final = models.If(states=(State.SUCCESS,))
AT_MESSAGE: Final = frozenset({"subject", "body"})
"""Keys whose templates are filled in when the message is made."""


@dataclass(frozen=True, slots=True)
class Acting:
    """The run that actions are bound for, and where one stands in its file."""

    args: Args
    jobs: Jobs
    filler: Filler
    place: str


def actions_of(file: models.JobFile) -> tuple[models.Action, ...]:
    """Return the actions of either spelling."""
    return file.action or file.actions


def with_places(file: models.JobFile, shared: tuple[models.Action, ...]) -> Iterator[tuple[str, models.Action]]:
    """Yield the job's actions, its successors as actions, and those of the repository, each with its place."""
    for number, action in enumerate(actions_of(file), 1):
        yield f"action {number}", action
    for number, successor in enumerate(file.successors, 1):
        yield f"successor {number}", as_action(successor)
    for number, action in enumerate(shared, 1):
        yield f"action {number} of apsis.yaml", action


def as_action(successor: models.Successor) -> models.ScheduleJob:
    """Return the action that a successor is short for."""
    return models.ScheduleJob.model_construct(
        type="schedule", job_id=successor.job_id, args=successor.args, if_=ON_SUCCESS
    )


def bind_action(written: models.Action, acting: Acting) -> Action:
    """Fill in an action; raise BindError, naming the place."""
    return _BINDS[type(written)](written, acting)


def bind_if(written: models.If) -> If:
    """Return when an action happens."""
    deadlines = written.deadlines
    kinds = (ALL_DEADLINES if deadlines else ()) if isinstance(deadlines, bool) else tuple(dict.fromkeys(deadlines))
    return If(tuple(dict.fromkeys(written.states)), tuple(dict.fromkeys(written.attempt)), kinds)


def _schedule(written: models.ScheduleJob, acting: Acting) -> ScheduleJob:
    job_id, args = acting.jobs.instance(written.job_id, written.args, acting.place, acting.args, acting.filler)
    return ScheduleJob(job_id, dict(args), bind_if(written.if_))


def _email(written: models.Email, acting: Acting) -> Email:
    to = (
        acting.filler.judged(address, f"{acting.place}.to[{number}]", to_address)
        for number, address in enumerate(written.to)
    )
    return Email(tuple(dict.fromkeys(to)), written.subject, written.body, bind_if(written.if_))


def _webhook(written: models.Webhook, acting: Acting) -> Webhook:
    url: str | Secret
    if isinstance(written.url, models.Secret):
        url = Secret(written.url.secret)
    else:
        url = acting.filler.judged(written.url, f"{acting.place}.url", to_url)
    return Webhook(
        url=url,
        secret=Secret(written.secret.secret) if written.secret is not None else None,
        format=written.format,
        body=written.body,
        if_=bind_if(written.if_),
    )


_BINDS: Final[Mapping[type, Callable[[Any, Acting], Action]]] = {
    models.ScheduleJob: _schedule,
    models.Email: _email,
    models.Webhook: _webhook,
}
