"""The states of a run."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a run is on its way; the order is the order of the way."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def finished(self) -> bool:
        """Whether only a person's mark can change a run in this state."""
        return self in FINISHED


FINISHED: Final = frozenset({State.SUCCESS, State.FAILURE, State.ERROR, State.SKIPPED})
