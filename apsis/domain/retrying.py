"""Whether a run that has failed is tried again, and after how long."""

from typing import Final

from apsis.domain.events import Broke, Event, Failed, Succeeded
from apsis.domain.policy import Retry
from apsis.domain.run import Run, share_of
from apsis.domain.state import State

UNDER_WAY: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})


LONGEST_S: Final = 30 * 86_400.0
"""However fast the pauses grow."""


def pause_before_next(run: Run, state: State, event: Event) -> float | None:
    """Return the seconds until the next attempt of a run that `event` would bring into `state`; None: there is none.

    Only what a program did is tried again, and nothing that a person stopped.
    """
    retry = run.bound.retry if run.bound is not None else None
    if retry is None or run.attempt > retry.count or run.state not in UNDER_WAY:
        return None
    if state.value not in retry.on or (run.state is State.STOPPING and not run.timed_out):
        return None
    if retry.exit_codes and _exit_code(event) not in retry.exit_codes:
        return None
    return _pause(retry, run)


def _pause(retry: Retry, run: Run) -> float:
    pause = retry.delay_s * retry.factor ** (run.attempt - 1)
    pause = min(pause, LONGEST_S if retry.max_delay_s is None else retry.max_delay_s)
    return float(pause + retry.jitter_s * share_of(run.run_id, f"attempt {run.attempt}"))


def _exit_code(event: Event) -> object:
    meta = event.meta if isinstance(event, Succeeded | Failed | Broke) else None
    return (meta or {}).get("exit_code")
