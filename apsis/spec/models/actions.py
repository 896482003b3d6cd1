"""Actions as written: what else happens when a run changes."""

from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, StrictBool, Tag

from apsis.spec.fields import ArgText, StateName, Text
from apsis.spec.models.base import DeadlineName, Secret, Written, secret_or_text
from apsis.spec.models.policies import MAX_RETRIES
from apsis.spec.numbers import Whole
from apsis.spec.outside import Address, Line, Url
from apsis.spec.shorthand import OneOrList, Short

MAX_ACTIONS: Final = 50
"""Of a job; each may be a message to somebody at each change."""
MAX_TO: Final = 50


class If(Written):
    """When an action happens."""

    states: Annotated[tuple[StateName, ...], OneOrList()] = ()
    """On entering one of these states. All, if it is left out and there are no deadlines."""
    attempt: Annotated[tuple[Annotated[int, Whole(1, MAX_RETRIES + 1)], ...], OneOrList()] = ()
    """Only in these attempts, counted from 1."""
    deadlines: Annotated[
        Annotated[StrictBool, Tag("flag")] | Annotated[tuple[DeadlineName, ...], OneOrList(), Tag("kinds")],
        Discriminator(lambda value: "flag" if isinstance(value, bool) else "kinds"),
    ] = False
    """When one of these deadlines is missed; true: any."""


class _Action(Written):
    if_: If = Field(default=If(), alias="if")
    """When it happens; at every change of state if it is left out."""


class ScheduleJob(_Action):
    """Make a run of another job, now."""

    type: Literal["schedule"]
    job_id: Text
    """The job; `//prefix/job` is one of another repository. May be a template."""
    args: dict[str, ArgText] = {}
    """Its args; missing ones are taken by name from the run. Each may be a template."""


class Email(_Action):
    """Send an e-mail."""

    type: Literal["email"]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=MAX_TO), OneOrList()]
    """One or several addresses; each may be a template."""
    subject: Line | None = None
    """A template that knows the event too. If it is left out, Apsis finds words."""
    body: Text | None = None
    """A template that knows the event too. If it is left out, Apsis finds words."""


class Webhook(_Action):
    """Post a message to a URL."""

    type: Literal["webhook"]
    url: Annotated[Annotated[Url, Tag("as_text")] | Annotated[Secret, Tag("as_secret")], Discriminator(secret_or_text)]
    """The address, or {secret: NAME}. May be a template."""
    secret: Secret | None = None
    """{secret: NAME}: the key that messages are signed with."""
    format: Literal["generic", "slack"] = "generic"
    """How the message looks."""
    body: Text | None = None
    """A template that knows the event too. If it is left out, Apsis finds words."""


Action = Annotated[ScheduleJob | Email | Webhook, Field(discriminator="type")]
Actions = Annotated[tuple[Action, ...], Field(max_length=MAX_ACTIONS), OneOrList(null=True)]


class Successor(Written):
    """A job that runs when this one has succeeded."""

    job_id: Text
    """The job; `//prefix/job` is one of another repository. May be a template."""
    args: dict[str, ArgText] = {}
    """Its args; missing ones are taken by name from the run. Each may be a template."""


Successors = Annotated[
    tuple[Annotated[Successor, Short("job_id", {"type": "string"})], ...],
    Field(max_length=MAX_ACTIONS),
    OneOrList(null=True),
]
