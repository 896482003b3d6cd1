"""Binding conditions: from what is written to what a run waits for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from apsis.conditions.const import Const
from apsis.conditions.dependency import Dependency
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.args import Args
from apsis.domain.condition import Condition
from apsis.domain.errors import BindError
from apsis.spec import models
from apsis.spec.fill import Filler
from apsis.spec.instances import Jobs
from apsis.spec.numbers import CENTURY_S, DAY_S, SHORTEST_S, Span, Whole
from apsis.spec.outside import to_agent_path, to_url


@dataclass(frozen=True, slots=True)
class Asking:
    """The run that conditions are bound for, and where one stands in its file."""

    job_id: str
    args: Args
    jobs: Jobs
    filler: Filler
    place: str

    def timeout_s(self, written: models.Waiting) -> float | None:
        """Return how long the run waits for the condition."""
        if written.timeout is None:
            return None
        return self.filler.seconds(written.timeout, f"{self.place}.timeout", Span(SHORTEST_S, CENTURY_S))

    def every_s(self, written: models.Probe) -> float:
        """Return how often a probe is asked."""
        return self.filler.seconds(written.every, f"{self.place}.every", Span(1, DAY_S))

    def text(self, written: str, key: str) -> str:
        """Fill in one key's text."""
        return self.filler.text(written, f"{self.place}.{key}")


def bind_condition(written: models.Condition, asking: Asking) -> Condition | None:
    """Fill in a condition, None if it is not enabled; raise BindError, naming the place."""
    if not asking.filler.flag(written.enabled, f"{asking.place}.enabled"):
        return None
    return _BINDS[type(written)](written, asking)


def _dependency(written: models.Dependency, asking: Asking) -> Dependency:
    job_id, args = asking.jobs.instance(written.job_id, written.args, asking.place, asking.args, asking.filler)
    exist = written.exist
    return Dependency(
        job_id=job_id,
        args=dict(args),
        states=tuple(dict.fromkeys(written.states)),
        exist=exist if isinstance(exist, bool) else tuple(dict.fromkeys(exist or ())) or False,
        timeout_s=asking.timeout_s(written),
        on_timeout=written.on_timeout,
    )


def _max_running(written: models.MaxRunning, asking: Asking) -> MaxRunning:
    if written.job_id is None:
        job_id, args = asking.jobs.own(asking.job_id, written.args, asking.place, asking.args, asking.filler)
    else:
        job_id, args = asking.jobs.instance(written.job_id, written.args, asking.place, asking.args, asking.filler)
    return MaxRunning(
        job_id=job_id,
        args=dict(args),
        count=asking.filler.whole(written.count, f"{asking.place}.count", Whole(1, 10_000)),
        timeout_s=asking.timeout_s(written),
        on_timeout=written.on_timeout,
    )


def _skip_duplicate(written: models.SkipDuplicate, asking: Asking) -> SkipDuplicate:
    states = tuple(dict.fromkeys(written.check_states))
    return SkipDuplicate(asking.job_id, dict(asking.args), states, written.target_state)


def _const(written: models.Const, asking: Asking) -> Const:
    value = asking.filler.flag(written.value, f"{asking.place}.value")
    return Const(value, asking.timeout_s(written), written.on_timeout)


def _file(written: models.FileExists, asking: Asking) -> FileExists:
    return FileExists(
        path=asking.filler.judged(written.path, f"{asking.place}.path", to_agent_path),
        group_id=asking.text(written.group_id, "group_id"),
        every_s=asking.every_s(written),
        timeout_s=asking.timeout_s(written),
        on_timeout=written.on_timeout,
    )


def _command(written: models.CommandSucceeds, asking: Asking) -> CommandSucceeds:
    argv = asking.filler.texts(written.argv, f"{asking.place}.argv")
    if not argv[0]:
        raise BindError(f"{asking.place}.argv[0]: the program's name is empty")
    return CommandSucceeds(
        argv=argv,
        group_id=asking.text(written.group_id, "group_id"),
        every_s=asking.every_s(written),
        timeout_s=asking.timeout_s(written),
        on_timeout=written.on_timeout,
    )


def _http(written: models.HttpAnswers, asking: Asking) -> HttpAnswers:
    return HttpAnswers(
        url=asking.filler.judged(written.url, f"{asking.place}.url", to_url),
        status=tuple(dict.fromkeys(written.status)),
        every_s=asking.every_s(written),
        timeout_s=asking.timeout_s(written),
        on_timeout=written.on_timeout,
    )


_BINDS: Final[Mapping[type, Callable[[Any, Asking], Condition]]] = {
    models.Dependency: _dependency,
    models.MaxRunning: _max_running,
    models.SkipDuplicate: _skip_duplicate,
    models.Const: _const,
    models.FileExists: _file,
    models.CommandSucceeds: _command,
    models.HttpAnswers: _http,
}
