"""Conditions as written: what must hold before a run starts."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, StrictBool, Tag

from apsis.domain.state import State
from apsis.spec.fields import ArgText, FlagLater, StateName, Text, refuse
from apsis.spec.models.base import ENDS, UNFINISHED, States, Written
from apsis.spec.numbers import CENTURY_S, DAY_S, SHORTEST_S, Span, Whole
from apsis.spec.outside import AgentPath, Url
from apsis.spec.shorthand import OneOrList


class _Condition(Written):
    enabled: FlagLater = True
    """false, or a template that gives false, leaves the condition out."""


class Waiting(_Condition):
    """A condition that a run may wait for too long."""

    timeout: Annotated[float | str, Span(SHORTEST_S, CENTURY_S, later=True)] | None = None
    """How long a run waits for it; as long as for others if it is left out."""
    on_timeout: Literal["error", "skip", "fail"] = "error"
    """What becomes of the run then."""


class Dependency(Waiting):
    """Wait until a run of another instance is in one of some states."""

    type: Literal["dependency"]
    job_id: Text
    """The job waited for; `//prefix/job` is one of another repository. May be a template."""
    args: dict[str, ArgText] = {}
    """Its args; missing ones are taken by name from the run. Each may be a template."""
    states: States = (State.SUCCESS,)
    exist: Annotated[
        Annotated[StrictBool | None, Tag("flag")]
        | Annotated[tuple[StateName, ...], Field(min_length=1), OneOrList(), Tag("states")],
        Discriminator(lambda value: "flag" if value is None or isinstance(value, bool) else "states"),
    ] = None
    """true: error at once if no run exists that can still get there; states: if none exists in those."""


class MaxRunning(Waiting):
    """Wait while too many runs of an instance are starting, running or stopping."""

    type: Literal["max_running"]
    count: Annotated[int | str, Whole(1, 10_000, later=True)] = 1
    """How many may run at once."""
    job_id: Text | None = None
    """Whose runs are counted; the job's own if it is left out. May be a template."""
    args: dict[str, ArgText] = {}
    """Its args; missing ones are taken by name from the run. Each may be a template."""


def _unfinished(state: State) -> State:
    if state.finished:
        raise refuse("bad_state", f"only unfinished runs are looked at, and a {state} run is over", _known(UNFINISHED))
    return state


def _finished(state: State) -> State:
    if not state.finished:
        raise refuse("bad_state", f"a run cannot end as {state}", _known(ENDS))
    return state


def _known(states: tuple[State, ...]) -> str:
    return f"Known are: {', '.join(states)}."


class SkipDuplicate(_Condition):
    """End a run at once if another of its instance is under way."""

    type: Literal["skip_duplicate"]
    check_states: Annotated[
        tuple[Annotated[StateName, AfterValidator(_unfinished)], ...], Field(min_length=1), OneOrList()
    ] = (State.WAITING, State.STARTING, State.RUNNING)
    """The states that count as under way."""
    target_state: Annotated[StateName, AfterValidator(_finished)] = State.SKIPPED
    """What the run then becomes."""


class Const(Waiting):
    """Hold, or never hold."""

    type: Literal["const"]
    value: FlagLater
    """true holds, false never does."""


class Probe(Waiting):
    """A condition on the world outside."""

    every: Annotated[float | str, Span(1, DAY_S, later=True)] = 30.0
    """How often it is asked."""


class FileExists(Probe):
    """Wait for a file on an agent's host."""

    type: Literal["file"]
    path: AgentPath
    """The file, from / on. May be a template."""
    group_id: Text = "default"
    """Which agents may look. May be a template."""


class CommandSucceeds(Probe):
    """Wait until a command on an agent ends with exit code 0."""

    type: Literal["command"]
    argv: Annotated[tuple[ArgText, ...], Field(min_length=1)]
    """The program and its arguments; each may be a template."""
    group_id: Text = "default"
    """Which agents may run it. May be a template."""


class HttpAnswers(Probe):
    """Wait until the server gets a certain answer to a GET."""

    type: Literal["http"]
    url: Url
    """The address. May be a template."""
    status: Annotated[tuple[Annotated[int, Whole(100, 599)], ...], Field(min_length=1), OneOrList()] = (200,)
    """The status codes that are right, one or several."""


Condition = Annotated[
    Dependency | MaxRunning | SkipDuplicate | Const | FileExists | CommandSucceeds | HttpAnswers,
    Field(discriminator="type"),
]
