"""Binding: a job's templates filled in with a run's args."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whenever import Instant

from apsis.conditions.dependency import Dependency
from apsis.domain import program
from apsis.domain.action import Action
from apsis.domain.args import Args
from apsis.domain.errors import BindError
from apsis.domain.job import Bound
from apsis.lib.duration import parse_duration
from apsis.lib.template import TemplateError, render
from apsis.schedules.calendar import Calendar
from apsis.spec import models
from apsis.spec.fields import storable, to_flag, to_signal
from apsis.spec.names import names_of

ELSEWHERE = "//"
"""Begins a job id that names its repository too."""


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """The unbound part of a job: the file's models, and the file as written for showing.

    `params` has the params of all jobs of the repository by full id, which say what args a dependency needs; None
    where there is no repository.
    """

    file: models.JobFile
    written: Mapping[str, Any]
    repo: str = ""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    params: Mapping[str, tuple[str, ...]] | None = field(default=None, compare=False, repr=False)

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
    def actions(self) -> tuple[Mapping[str, object], ...]:
        """The actions as written."""
        return ()

    @property
    def schedules(self) -> tuple[Mapping[str, object], ...]:
        """The schedules as written."""
        return tuple(listed(self.written.get("schedule")))

    def bind(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> Bound:
        """Fill in the templates; raise BindError, naming the place."""
        names = names_of(job_id, run_id, args, schedule_time, self.calendars)
        conditions = (
            self._dependency(written, f"condition {number}", names, args)
            for number, written in enumerate(conditions_of(self.file), 1)
        )
        return Bound(_program(self.file.program, names), tuple(c for c in conditions if c is not None))

    def bind_actions(self, job_id: str, run_id: str, args: Args, schedule_time: Instant) -> tuple[Action, ...]:
        """Fill in the actions alone; raise BindError, naming the place."""
        del job_id, run_id, args, schedule_time
        return ()

    def _dependency(
        self, written: models.Dependency, place: str, names: Mapping[str, object], args: Args
    ) -> Dependency | None:
        if not _flag(written.enabled, f"{place}.enabled", names):
            return None
        written_id = _text(written.job_id, f"{place}.job_id", names)
        job_id = full_id(self.repo, written_id)
        given = {name: _text(value, f"{place}.args.{name}", names) for name, value in written.args.items()}
        exist = written.exist
        return Dependency(
            job_id=job_id,
            args=self._instance_args(job_id, place, given, args, foreign=written_id.startswith(ELSEWHERE)),
            states=tuple(dict.fromkeys(written.states)),
            exist=exist if isinstance(exist, bool) else tuple(dict.fromkeys(exist or ())) or False,
        )

    def _instance_args(
        self, job_id: str, place: str, given: Mapping[str, str], args: Args, *, foreign: bool
    ) -> dict[str, str]:
        if self.params is None or (foreign and job_id not in self.params):
            return dict(sorted(given.items()))
        if job_id not in self.params:
            raise BindError(f"{place}: no job {job_id!r}")
        params = self.params[job_id]
        if extra := given.keys() - set(params):
            raise BindError(f"{place}: {job_id} has no param {', '.join(sorted(extra))}")
        if missing := set(params) - given.keys() - args.keys():
            raise BindError(f"{place}: {job_id} needs the args {', '.join(sorted(missing))}")
        return {name: given[name] if name in given else args[name] for name in sorted(params)}


def conditions_of(file: models.JobFile) -> tuple[models.Dependency, ...]:
    """Return the conditions of either spelling."""
    return file.condition or file.conditions


def full_id(repo: str, job_id: str) -> str:
    """Return the id that a job file's `job_id` means, behind the prefix of its repository."""
    if job_id.startswith(ELSEWHERE):
        return job_id.removeprefix(ELSEWHERE)
    return f"{repo}/{job_id}" if repo else job_id


def listed(written: Any) -> Sequence[Any]:
    """Return a list for one, a list, or nothing."""
    if written is None:
        return []
    return written if isinstance(written, list | tuple) else [written]


def _program(written: models.NoOp | models.Process | models.Shell, names: Mapping[str, object]) -> program.Program:
    if isinstance(written, models.NoOp):
        return program.NoOp(_seconds(written.duration, "program.duration", names), _OUTCOME[written.success])
    group_id = _text(written.group_id, "program.group_id", names)
    timeout = _timeout(written.timeout, names)
    stop = program.Stop(
        _signal(written.stop.signal, "program.stop.signal", names),
        _seconds(written.stop.grace_period, "program.stop.grace_period", names),
    )
    if isinstance(written, models.Shell):
        return program.Shell(_text(written.command, "program.command", names), group_id, timeout, stop)
    argv = tuple(_text(item, f"program.argv[{n}]", names) for n, item in enumerate(written.argv))
    if not argv[0]:
        raise BindError("program.argv[0]: the program's name is empty")
    return program.Process(argv, group_id, timeout, stop)


_OUTCOME: dict[bool | None, program.Outcome] = {True: "success", False: "failure", None: "error"}


def _timeout(written: models.Timeout | None, names: Mapping[str, object]) -> program.Timeout | None:
    if written is None:
        return None
    return program.Timeout(
        _seconds(written.duration, "program.timeout.duration", names),
        _signal(written.signal, "program.timeout.signal", names),
    )


def _text(written: str, place: str, names: Mapping[str, object]) -> str:
    try:
        filled = render(written, names)
    except TemplateError as error:
        raise BindError(f"{place}: {error.message}") from None
    if not storable(filled):
        raise BindError(f"{place}: the text has a NUL or half a character")
    return filled


def _seconds(written: float | str, place: str, names: Mapping[str, object]) -> float:
    if not isinstance(written, str):
        return written
    filled = _text(written, place, names)
    try:
        return parse_duration(filled)
    except ValueError as error:
        raise BindError(f"{place}: {error}") from None


def _signal(written: str, place: str, names: Mapping[str, object]) -> str:
    filled = _text(written, place, names)
    try:
        return to_signal(filled)
    except ValueError as error:
        raise BindError(f"{place}: {error}") from None


def _flag(written: bool | str, place: str, names: Mapping[str, object]) -> bool:
    if isinstance(written, bool):
        return written
    filled = _text(written, place, names)
    try:
        return to_flag(filled)
    except ValueError as error:
        raise BindError(f"{place}: {error}") from None
