"""Bound programs and conditions as JSON: how they lie in the store, and how they are shown."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from apsis.conditions.dependency import Dependency
from apsis.domain.condition import Condition
from apsis.domain.job import Bound
from apsis.domain.program import NoOp, Process, Program, Shell

_Program = Annotated[NoOp | Process | Shell, Field(discriminator="type")]
_Condition = Dependency


@dataclass(frozen=True, slots=True)
class _Stored:
    program: _Program
    conditions: tuple[_Condition, ...] = ()


def dump_bound(bound: Bound) -> str:
    """Return the text that `load_bound` makes an equal Bound of."""
    return _bounds().dump_json(bound, warnings="error").decode()


def load_bound(text: str) -> Bound:
    """Return what was dumped; raise ValueError if it is nothing of that kind."""
    stored = _bounds().validate_json(text)
    return Bound(stored.program, stored.conditions)


def program_view(program: Program) -> dict[str, Any]:
    """Return a program as JSON types."""
    view: dict[str, Any] = _programs().dump_python(program, mode="json")
    return view


def condition_view(condition: Condition) -> dict[str, Any]:
    """Return a condition as JSON types."""
    view: dict[str, Any] = _conditions().dump_python(condition, mode="json")
    return view


@functools.cache
def _bounds() -> "TypeAdapter[Any]":
    return TypeAdapter(_Stored)


@functools.cache
def _programs() -> "TypeAdapter[Any]":
    return TypeAdapter(_Program)


@functools.cache
def _conditions() -> "TypeAdapter[Any]":
    return TypeAdapter(_Condition)
