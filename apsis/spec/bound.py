"""What a run is bound to, as JSON: how it lies in the store, and how its parts are shown."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import orjson
from pydantic import BeforeValidator, Field, TypeAdapter

from apsis.conditions.const import Const
from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.action import Action, Email, ScheduleJob, Webhook
from apsis.domain.condition import Condition
from apsis.domain.job import Bound
from apsis.domain.policy import Deadlines, Limits, Pool, Retry
from apsis.domain.program import Archive, NoOp, Process, Program, Shell, Stats, Vacuum

NO_LIMITS: Final = Limits()
NO_DEADLINES: Final = Deadlines()


def dump_bound(bound: Bound) -> str:
    """Return the text that `load_bound` makes an equal Bound of. What a job does not have is left out."""
    said: dict[str, Any] = {"program": bound.program}
    if bound.conditions:
        said["conditions"] = bound.conditions
    if bound.actions:
        said["actions"] = [_fields(action) for action in bound.actions]
    if bound.limits != NO_LIMITS:
        said["limits"] = bound.limits
    if bound.retry is not None:
        said["retry"] = bound.retry
    if bound.pools:
        said["pools"] = bound.pools
    if bound.deadlines != NO_DEADLINES:
        said["deadlines"] = bound.deadlines
    return orjson.dumps(said, default=_plain).decode()


def load_bound(text: str) -> Bound:
    """Return what was dumped; raise ValueError if it is nothing of that kind."""
    stored = _bounds().validate_json(text)
    return Bound(
        stored.program,
        stored.conditions,
        stored.actions,
        stored.limits,
        stored.retry,
        stored.pools,
        stored.deadlines,
    )


def dump_action(action: Action) -> str:
    """Return the text that `load_action` makes an equal action of."""
    return orjson.dumps(_fields(action), default=_plain).decode()


def load_action(text: str) -> Action:
    """Return what was dumped; raise ValueError if it is nothing of that kind."""
    action: Action = _actions().validate_json(text)
    return action


def program_view(program: Program) -> dict[str, Any]:
    """Return a program as JSON types; a secret is its name."""
    return _view(program)


def condition_view(condition: Condition) -> dict[str, Any]:
    """Return a condition as JSON types."""
    return _view(condition)


def action_view(action: Action) -> dict[str, Any]:
    """Return an action as JSON types; a secret is its name."""
    return _view(_fields(action))


def _view(value: object) -> dict[str, Any]:
    view: dict[str, Any] = orjson.loads(orjson.dumps(value, default=_plain))
    return view


def _fields(action: Action) -> dict[str, Any]:
    """Return an action's values by the names they have outside, where `if` is no keyword."""
    return {name.rstrip("_"): getattr(action, name) for name in action.__dataclass_fields__}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not stored")


def _renamed(value: object) -> object:
    if not isinstance(value, dict) or "if" not in value:
        return value
    return {("if_" if name == "if" else name): item for name, item in value.items()}


_Program = Annotated[NoOp | Process | Shell | Archive | Vacuum | Stats, Field(discriminator="type")]
_Condition = Annotated[
    Dependency | MaxRunning | SkipDuplicate | Const | FileExists | CommandSucceeds | HttpAnswers,
    Field(discriminator="type"),
]
_Action = Annotated[Annotated[ScheduleJob | Email | Webhook, Field(discriminator="type")], BeforeValidator(_renamed)]


@dataclass(frozen=True, slots=True)
class _Stored:
    program: _Program
    conditions: tuple[_Condition, ...] = ()
    actions: tuple[_Action, ...] = ()
    limits: Limits = field(default_factory=Limits)
    retry: Retry | None = None
    pools: tuple[Pool, ...] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)


@functools.cache
def _bounds() -> "TypeAdapter[Any]":
    return TypeAdapter(_Stored)


@functools.cache
def _actions() -> "TypeAdapter[Any]":
    return TypeAdapter(_Action)
