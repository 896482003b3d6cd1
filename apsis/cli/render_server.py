"""How the server as a whole looks in a terminal: what is pending, pools, numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from apsis.cli.render import clean, facts, table
from apsis.cli.render_why import run_line
from apsis.cli.when import Zone

if TYPE_CHECKING:
    from apsis.wire.server import CatchUp, Pool, Stats


def catch_up(found: "CatchUp", zone: Zone) -> RenderableType:
    """Return whether the server is held, and what each job owes."""
    if found.held is not None:
        head = Text("held", style="bold yellow").append_text(clean(f": {found.held}; `apsis release` lets go"))
    else:
        head = Text("not held")
    if not found.pending:
        return Group(head, Text("nothing is due that has not started"))
    rows = (
        (
            clean(one.job_id),
            Text(f"{one.runs:,}{' or more' if one.more else ''}"),
            Text(zone.show(one.oldest)),
        )
        for one in found.pending
    )
    listed = table(("JOB", "RUNS", f"OLDEST ({zone.label()})"), rows)
    more = found.jobs - len(found.pending)
    total = Text(f"{found.runs:,} runs of {found.jobs:,} jobs" + (f" ({more:,} not shown)" if more else ""))
    listed.rstrip()
    return Group(head, listed, total)


def pools(found: Sequence["Pool"]) -> RenderableType:
    """Return pools, one a line, and below each who is in it."""
    if not found:
        return Group(Text("no pools: a repository's apsis.yaml says which there are"))
    lines: list[Text] = []
    for pool in found:
        waiting = f", {pool.waiting:,} waiting" if pool.waiting else ""
        lines.append(clean(f"{pool.name}: {pool.taken:,} of {pool.size:,} taken{waiting}"))
        lines += [Text("  ").append_text(run_line(run)) for run in pool.holders]
    return Group(*lines)


def stats(found: "Stats") -> RenderableType:
    """Return the numbers, each with its name."""
    rows = [("held", clean(found.held or "no")), *_numbers("engine", found.engine), *_numbers("store", found.store)]
    return facts(rows)


def _numbers(place: str, values: Mapping[str, Any]) -> Iterable[tuple[str, Text]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{place} {name}", value)
        else:
            yield f"{place} {name}", clean(f"{value:,}" if isinstance(value, int) else str(value))
