"""The one broad `except`: turns whatever goes wrong in one thing into that one thing's result."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

log = logging.getLogger(__name__)

Seam = Literal["binding", "conditions", "program", "schedule", "action", "row", "request", "sync"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, in words."""

    message: str


def attempt(seam: Seam, subject: str, work: Callable[[], T]) -> T | Failure:
    """Return what `work` returns, or the Failure of `subject`, which is logged with its traceback."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - this is the place
        return failure(seam, subject, error)


def failure(seam: Seam, subject: str, error: Exception) -> Failure:
    """Log `error` as the failure of `subject` at a seam, and return it in words."""
    log.error("%s_failed: %s: %s", seam, subject, error, exc_info=error)
    return Failure(f"{type(error).__name__}: {error}")
