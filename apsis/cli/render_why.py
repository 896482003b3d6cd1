"""Why a run does not start, or ended as it did, in words: pure functions from the message to Rich text."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from apsis.cli.render import SHORT, clean, state
from apsis.cli.when import Zone

if TYPE_CHECKING:
    from apsis.wire.run import Blocking, ConditionStatus, RunDetail

FINAL: Final = frozenset({"success", "failure", "error", "skipped"})


def why(run: "RunDetail", held: str | None, zone: Zone) -> RenderableType:
    """Return the reason for the state that the run is in; `held` is why the server is held."""
    head = clean(f"{run.run_id[:SHORT]} {run.job_id} is ").append_text(state(run.state))
    lines = list(_lines(run, zone))
    if held is not None and run.state in {"scheduled", "waiting"}:
        lines.append(clean(f"  the server is held: {held}; `apsis release` lets go"))
    return Group(head, *lines)


def _lines(run: "RunDetail", zone: Zone) -> Iterable[Text]:
    if run.state == "waiting":
        for condition in run.conditions:
            yield from _condition(condition)
        if not run.conditions:
            yield Text("  it waits for nothing: it is about to start")
    elif run.state == "scheduled":
        yield Text(f"  due {zone.show(run.due or run.schedule_time)} ({zone.label()})")
        if run.attempt > 1:
            yield clean(f"  tried again: {run.message}")
        elif run.due is not None:
            yield Text(f"  its schedule time is {zone.show(run.schedule_time)}; the rest is jitter")
    elif run.message:
        at = run.timestamps.get(run.state)
        yield clean(f"  {run.message}" + (f" ({zone.show(at)})" if at and run.state in FINAL else ""))
    for deadline in run.breached:
        yield Text(f"  late: it missed {deadline.replace('_', ' ')}", style="yellow")


def _condition(status: "ConditionStatus") -> Iterable[Text]:
    marks = {True: ("holds", "green"), False: ("waits", "yellow"), None: ("not asked yet", "bright_black")}
    word, colour = marks[status.holds]
    line = Text("  ").append(word, style=colour).append_text(clean(f": {status.text}"))
    if status.reason:
        line.append_text(clean(f"; {status.reason}"))
    if status.value and status.value != status.reason:
        line.append_text(clean(f"; saw last: {status.value}"))
    yield line
    for run in status.blocking:
        yield Text("    ").append_text(run_line(run))


def run_line(run: "Blocking") -> Text:
    """Return a run that is in the way, in a line: short id, job, args, state."""
    args = "".join(f" {name}={value}" for name, value in run.args.items())
    return clean(f"{run.run_id[:SHORT]} {run.job_id}{args} ").append_text(state(run.state))
