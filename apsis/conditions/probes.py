"""Conditions on the world outside: a file, a command's success, an HTTP answer. They are asked again and again."""

import shlex
from dataclasses import dataclass
from typing import Literal

from apsis.conditions.base import Base
from apsis.domain.condition import Facts, Holds, OnTimeout, Polling, Verdict, Waits


class _Probe(Base):
    """What they have in common: the verdict is the newest answer."""

    __slots__ = ()

    every_s: float
    answer_within_s: float

    @property
    def polling(self) -> Polling | None:
        """How often it is asked."""
        return Polling(self.every_s, self.answer_within_s)

    def verdict(self, facts: Facts) -> Verdict:
        """Hold as the newest answer does."""
        answer = facts.answer()
        if answer is None:
            return Waits("not asked yet")
        return Holds() if answer.holds else Waits(answer.value)


@dataclass(frozen=True, slots=True)
class FileExists(_Probe):
    """Holds when there is a file at `path` on an agent of the group."""

    path: str
    group_id: str = "default"
    every_s: float = 30.0
    answer_within_s: float = 30.0
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["file"] = "file"

    def describe(self) -> str:
        """Say `file /data/ready exists`."""
        return f"file {self.path} exists"


@dataclass(frozen=True, slots=True)
class CommandSucceeds(_Probe):
    """Holds when `argv`, run by an agent of the group, ends with exit code 0."""

    argv: tuple[str, ...]
    group_id: str = "default"
    every_s: float = 30.0
    answer_within_s: float = 30.0
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["command"] = "command"

    def describe(self) -> str:
        """Say `command test -e /data/ready succeeds`."""
        return f"command {shlex.join(self.argv)} succeeds"


@dataclass(frozen=True, slots=True)
class HttpAnswers(_Probe):
    """Holds when a GET of `url` by the server is answered with one of the `status` codes."""

    url: str
    status: tuple[int, ...] = (200,)
    every_s: float = 30.0
    answer_within_s: float = 30.0
    timeout_s: float | None = None
    on_timeout: OnTimeout = "error"
    type: Literal["http"] = "http"

    def describe(self) -> str:
        """Say `http://localhost/ready answers 200`."""
        return f"{self.url} answers {' or '.join(map(str, self.status))}"
