"""Bound actions: what else happens when a run changes. Also how they stand in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from whenever import Instant

from apsis.domain.secret import Secret
from apsis.domain.state import State

DeadlineKind = Literal["start_by", "finish_by", "longer_than"]
WebhookFormat = Literal["generic", "slack"]


@dataclass(frozen=True, slots=True)
class If:
    """When an action happens: on entering one of `states`, in one of `attempts`, or at one of the `deadlines`.

    Empty `states` are all, unless `deadlines` are given: then none. Empty `attempts` are all.
    """

    states: tuple[State, ...] = ()
    attempts: tuple[int, ...] = ()
    deadlines: tuple[DeadlineKind, ...] = ()

    def on_state(self, state: State, attempt: int, *, again: bool) -> bool:
        """Return whether it happens when a run enters `state`; `again`: for another attempt, after a failure."""
        if self.attempts and attempt not in self.attempts:
            return False
        if self.states:
            return state in self.states and (not again or bool(self.attempts))
        return not self.deadlines and not again

    def on_deadline(self, kind: DeadlineKind, attempt: int) -> bool:
        """Return whether it happens when the run misses a deadline."""
        return kind in self.deadlines and (not self.attempts or attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class ScheduleJob:
    """Make a run of another job, now. `args` are complete."""

    job_id: str
    args: Mapping[str, str] = field(default_factory=dict)
    if_: If = field(default_factory=If)
    type: Literal["schedule"] = "schedule"


@dataclass(frozen=True, slots=True)
class Email:
    """Send a message; subject and body are templates, filled in when the run has changed. None: our words."""

    to: tuple[str, ...]
    subject: str | None = None
    body: str | None = None
    if_: If = field(default_factory=If)
    type: Literal["email"] = "email"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Post to an URL, signed with `secret`. `body` is a template, filled in when the run has changed; None: ours."""

    url: str | Secret
    secret: Secret | None = None
    format: WebhookFormat = "generic"
    body: str | None = None
    if_: If = field(default_factory=If)
    type: Literal["webhook"] = "webhook"


Message = Email | Webhook
Action = ScheduleJob | Email | Webhook


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that must reach somebody outside, at least once. `key` is the same at every try.

    `event` is what the message is about, as JSON: run_id, job_id, args, state, message, attempt, schedule_time, time,
    labels, revision, and `deadline` if one was missed.
    """

    key: str
    run_id: str
    message: Message
    event: Mapping[str, Any]
    created: Instant
    tries: int = 0
