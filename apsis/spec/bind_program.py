"""Binding a program: from what is written to what exactly a run does."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from apsis.domain import program
from apsis.domain.errors import BindError
from apsis.spec import models
from apsis.spec.fill import Filler
from apsis.spec.models.programs import MAX_CHUNK, MAX_RUNS
from apsis.spec.numbers import CENTURY_S, Span, Whole
from apsis.spec.outside import to_archive_path, to_stats_path


def bind_program(written: models.Program, filler: Filler) -> program.Program:
    """Fill in a program; raise BindError, naming the place."""
    return _BINDS[type(written)](written, filler)


def _no_op(written: models.NoOp, filler: Filler) -> program.NoOp:
    return program.NoOp(filler.seconds(written.duration, "program.duration"), _OUTCOME[written.success])


_OUTCOME: Final[Mapping[bool | None, program.Outcome]] = {True: "success", False: "failure", None: "error"}


def _process(written: models.Process, filler: Filler) -> program.Process:
    argv = filler.texts(written.argv, "program.argv")
    if not argv[0]:
        raise BindError("program.argv[0]: the program's name is empty")
    return program.Process(argv, *_on_agent(written, filler))


def _shell(written: models.Shell, filler: Filler) -> program.Shell:
    return program.Shell(filler.text(written.command, "program.command"), *_on_agent(written, filler))


def _on_agent(
    written: models.Process | models.Shell, filler: Filler
) -> tuple[str, program.Timeout | None, program.Stop, program.Env]:
    stop = program.Stop(
        filler.signal(written.stop.signal, "program.stop.signal"),
        filler.seconds(written.stop.grace_period, "program.stop.grace_period"),
    )
    group_id = filler.text(written.group_id, "program.group_id")
    return group_id, _timeout(written.timeout, filler), stop, _env(written.env, filler)


def _timeout(written: models.Timeout | None, filler: Filler) -> program.Timeout | None:
    if written is None:
        return None
    return program.Timeout(
        filler.seconds(written.duration, "program.timeout.duration"),
        filler.signal(written.signal, "program.timeout.signal"),
    )


def _env(written: models.Env, filler: Filler) -> program.Env:
    values = {name: filler.value(value, f"program.env.set.{name}") for name, value in written.set.items()}
    return program.Env(values, written.unset, written.inherit)


def _archive(written: models.Archive, filler: Filler) -> program.Archive:
    count = written.count
    return program.Archive(
        age_s=filler.seconds(written.age, "program.age", Span(0, CENTURY_S)),
        path=_state_path(written.path, filler, to_archive_path),
        count=None if count is None else filler.whole(count, "program.count", Whole(1, MAX_RUNS)),
        chunk_size=filler.whole(written.chunk_size, "program.chunk_size", Whole(1, MAX_CHUNK)),
        chunk_sleep_s=filler.seconds(written.chunk_sleep, "program.chunk_sleep", Span(0, 60)),
    )


def _vacuum(_: models.Vacuum, __: Filler) -> program.Vacuum:
    return program.Vacuum()


def _stats(written: models.Stats, filler: Filler) -> program.Stats:
    return program.Stats(_state_path(written.path, filler, to_stats_path))


def _state_path(written: str | None, filler: Filler, judge: Callable[[str], str]) -> str | None:
    return None if written is None else filler.judged(written, "program.path", judge)


_BINDS: Final[Mapping[type, Callable[[Any, Filler], program.Program]]] = {
    models.NoOp: _no_op,
    models.Process: _process,
    models.Shell: _shell,
    models.Archive: _archive,
    models.Vacuum: _vacuum,
    models.Stats: _stats,
}
