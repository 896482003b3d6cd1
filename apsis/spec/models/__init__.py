"""Job files and apsis.yaml as written: one module for each part of them."""

from typing import Final

from apsis.spec.models.actions import Action, Email, If, ScheduleJob, Successor, Webhook
from apsis.spec.models.base import Secret, Written
from apsis.spec.models.conditions import (
    CommandSucceeds,
    Condition,
    Const,
    Dependency,
    FileExists,
    HttpAnswers,
    MaxRunning,
    Probe,
    SkipDuplicate,
    Waiting,
)
from apsis.spec.models.files import JobFile, Metadata, Settings
from apsis.spec.models.policies import Deadlines, Limits, Pool, Retry
from apsis.spec.models.programs import Archive, Env, NoOp, Process, Program, Shell, Stats, Stop, Timeout, Vacuum
from apsis.spec.models.schedules import Daily, Interval, Schedule

__all__ = [
    "ACTIONS", "CONDITIONS", "PARTS", "PROGRAMS", "SCHEDULES", "TYPES", "Action", "Archive", "CommandSucceeds",
    "Condition", "Const", "Daily", "Deadlines", "Dependency", "Email", "Env", "FileExists", "HttpAnswers", "If",
    "Interval", "JobFile", "Limits", "MaxRunning", "Metadata", "NoOp", "Pool", "Probe", "Process", "Program", "Retry",
    "Schedule", "ScheduleJob", "Secret", "Settings", "Shell", "SkipDuplicate", "Stats", "Stop", "Successor",
    "Timeout", "Vacuum", "Waiting", "Webhook", "Written", "keys_of",
]  # fmt: skip


def _by_name(*models: type[Written]) -> dict[str, type[Written]]:
    """Return the models by each of the types that their files may name."""
    return {name: model for model in models for name in model.model_fields["type"].annotation.__args__}  # type: ignore[union-attr]


PROGRAMS: Final = _by_name(NoOp, Process, Shell, Archive, Vacuum, Stats)
SCHEDULES: Final = _by_name(Interval, Daily)
CONDITIONS: Final = _by_name(Dependency, MaxRunning, SkipDuplicate, Const, FileExists, CommandSucceeds, HttpAnswers)
ACTIONS: Final = _by_name(ScheduleJob, Email, Webhook)
TYPES: Final[dict[str, type[Written]]] = {**PROGRAMS, **SCHEDULES, **CONDITIONS, **ACTIONS}
PARTS: Final[dict[str, type[Written]]] = {
    "timeout": Timeout, "stop": Stop, "env": Env, "metadata": Metadata, "limits": Limits, "pool": Pool,
    "retry": Retry, "deadlines": Deadlines, "if": If, "successors": Successor, "url": Secret, "secret": Secret,
    "set": Secret,
}  # fmt: skip
"""What has no type, by the key that it stands under."""


def keys_of(model: type[Written]) -> tuple[str, ...]:
    """Return a model's keys as they are written."""
    return tuple(info.alias or name for name, info in model.model_fields.items())
