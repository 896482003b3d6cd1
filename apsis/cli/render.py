"""How answers look in a terminal: pure functions from messages to Rich text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from apsis.cli.when import Zone

if TYPE_CHECKING:
    from apsis.wire.job import Job, JobDetail, Missed, NextRun
    from apsis.wire.repo import Finding, Repo, RepoPage
    from apsis.wire.run import LogEntry, Run, RunDetail, StateName

COLOURS: Final[Mapping["StateName", str]] = {
    "scheduled": "blue",
    "waiting": "yellow",
    "starting": "cyan",
    "running": "cyan",
    "stopping": "magenta",
    "success": "green",
    "failure": "red",
    "error": "bold red",
    "skipped": "bright_black",
}

SHORT: Final = 8
MOST_COUNTED: Final = 1_000
"""The server counts missed times no further."""
"""Characters of a run id that people see: enough to be unique among a million runs, mostly."""

UNLIMITED: Final = 100_000
"""Columns of a file or pipe: what is read by programs is never wrapped."""


def show(renderable: RenderableType) -> None:
    """Print to stdout; in colour if it is a terminal that wants it (NO_COLOR, TERM)."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    if isinstance(renderable, Text):  # a table: a line that is too long is cut, so that columns stay columns
        console.print(renderable, end="", no_wrap=True, overflow="ellipsis")
    elif console.is_terminal:
        console.print(renderable)
    else:
        with console.capture() as captured:
            console.print(renderable)
        print("\n".join(line.rstrip() for line in captured.get().split("\n")), end="")


def runs_table(runs: Sequence["Run"], zone: Zone, *, times: bool) -> RenderableType:
    """Return runs, one a line."""
    headings = ["RUN", "JOB", "ARGS", "STATE", f"SCHEDULE ({zone.label()})"]
    if times:
        headings += ["STARTED", "ENDED", "TOOK"]
    return table(
        [*headings, "MESSAGE"],
        (
            (
                Text(run.run_id[:SHORT]),
                clean(run.job_id),
                clean(_args(run.args)),
                state(run.state),
                Text(zone.show(run.schedule_time)),
                *map(Text, _moments(run, zone) if times else ()),
                _told(run),
            )
            for run in runs
        ),
    )


def run_page(run: "RunDetail", zone: Zone) -> RenderableType:
    """Return everything about a run but its log and output."""
    rows: list[tuple[str, Text]] = [
        ("run", Text(run.run_id)),
        ("job", clean(run.job_id)),
        ("args", clean(_args(run.args))),
        ("state", state(run.state).append(f"  {_plain(run.message)}" if run.message else "", style="default")),
        ("schedule time", Text(f"{zone.show(run.schedule_time)} ({zone.label()})")),
    ]
    rows += [("due", Text(zone.show(run.due)))] if run.due is not None else []
    rows += [(name, Text(zone.show(at))) for name, at in run.timestamps.items()]
    rows += [("attempt", Text(attempt(run)))] if run.attempt != 1 else []
    rows += [("late", Text(f"missed {name.replace('_', ' ')}", style="yellow")) for name in run.breached]
    rows += [(name, clean(str(value))) for name, value in _known(rerun_of=run.rerun_of, label=run.label)]
    rows.append(("kind", Text("expected" if run.expected else "ad hoc" if run.adhoc else "scheduled")))
    if run.revision is not None:
        rows.append(("definition", clean(f"{run.path} at {run.revision[:12]}")))
    rows += [("program", clean(_inline(run.program)))] if run.program else []
    marks: dict[bool | None, str] = {True: "holds", False: "does not hold", None: "not asked yet"}
    asked = run.state == "waiting"
    rows += [
        ("condition", clean(c.text + (f": {marks[c.holds]}" if asked else "") + (f"; {c.reason}" if c.reason else "")))
        for c in run.conditions
    ]
    rows += [("action", clean(_inline(action))) for action in run.actions]
    rows += [(name, clean(_inline(said))) for name, said in _policies(run)]
    rows += [(name, clean(_inline(value))) for name, value in run.meta.items()]
    rows.append(("output", Text(f"{run.output_length:,} bytes")))
    rows.append(("may", Text(", ".join(run.operations))))
    return facts(rows)


def log_table(entries: Sequence["LogEntry"], zone: Zone) -> RenderableType:
    """Return a run's log, one entry a line."""
    return table(
        (f"TIME ({zone.label()})", "STATE", "WHO", "MESSAGE"),
        (
            (Text(zone.show(entry.time)), state(entry.state), clean(entry.who or ""), clean(entry.message))
            for entry in entries
        ),
    )


def jobs_table(jobs: Sequence["Job"], zone: Zone) -> RenderableType:
    """Return jobs, one a line."""
    return table(
        ("JOB", "PARAMS", f"NEXT RUN ({zone.label()})", "PROGRAM", "SCHEDULE"),
        (
            (
                clean(job.job_id),
                clean(" ".join(job.params)),
                Text(zone.show(job.next_run.due or job.next_run.schedule_time) if job.next_run else "-"),
                clean(job.program_type),
                clean("; ".join(s.text if s.enabled else f"{s.text} (disabled)" for s in job.schedules)),
            )
            for job in jobs
        ),
    )


def job_page(job: "JobDetail", zone: Zone) -> RenderableType:
    """Return everything about a job."""
    rows = [
        ("job", clean(job.job_id)),
        ("params", clean(" ".join(job.params) or "none")),
        ("labels", clean(" ".join(job.labels) or "none")),
        ("definition", clean(f"{job.path} at {job.revision[:12]}")),
        ("program", clean(_inline(job.program))),
    ]
    rows += [("condition", clean(_inline(condition))) for condition in job.conditions]
    rows += [("action", clean(_inline(action))) for action in job.actions]
    rows += [(name, clean(_inline(said))) for name, said in job.policies.items()]
    rows += [("schedule", clean(s.text if s.enabled else f"{s.text} (disabled)")) for s in job.schedules]
    rows += [("next run", clean(_next(run, zone))) for run in job.next_runs]
    rows += [("missed", clean(_missed(span, zone))) for span in job.missed]
    if job.description is None:
        return facts(rows)
    return Group(facts(rows), Text(), clean(job.description.strip(), lines=True))


def repos_page(page: "RepoPage", zone: Zone) -> RenderableType:
    """Return what became of the repositories' newest revisions, findings included."""
    return Group(*(part for repo in page.repos for part in _repo(repo, zone)))


def attempt(run: "Run") -> str:
    """Return which attempt the run is in, of how many: `2 of 4`."""
    return f"{run.attempt} of {run.attempts}" if run.attempts is not None else str(run.attempt)


def state(name: "StateName") -> Text:
    """Return a state in its colour."""
    return Text(name, style=COLOURS.get(name, "default"))


def clean(text: str, *, lines: bool = False) -> Text:
    """Return text that cannot move the cursor or change colours: it may come from anybody's job or program."""
    return Text(_plain(text, lines=lines))


def _repo(repo: "Repo", zone: Zone) -> Iterable[Text]:
    name = repo.repo or "jobs"
    where = f"{repo.source}" + (f" ({repo.branch})" if repo.branch else "")
    yield clean(f"{name}: {where}, {repo.jobs} jobs: {repo.status.replace('_', ' ')}")
    if repo.error:
        yield clean(f"  {repo.error}", lines=True)
    for title, revision in (
        ("applied", repo.applied),
        ("rejected", repo.newest if repo.status == "rejected" else None),
    ):
        if revision is None:
            continue
        said = revision.message.splitlines()[0] if revision.message else ""
        change = f"{revision.added} added, {revision.changed} changed, {revision.removed} removed"
        author = f" by {revision.author}" if revision.author else ""
        yield clean(f"  {title} {revision.revision[:12]} {zone.show(revision.decided_at)}: {said}{author}; {change}")
        yield from (_finding(finding) for finding in revision.findings)


def _finding(finding: "Finding") -> Text:
    place = ":".join(str(part) for part in (finding.path, finding.line, finding.column) if part is not None)
    text = clean(f"  {place}: ")
    text.append(finding.severity, style="red" if finding.severity == "error" else "yellow")
    return text.append(_plain(f": {finding.message} [{finding.code}]" + (f" {finding.help}" if finding.help else "")))


def table(headings: Sequence[str], rows: Iterable[Sequence[Text]]) -> Text:
    """Return columns as wide as what is in them; by hand, because Rich's Table takes 100 ms for 100 rows."""
    cells = [[Text(heading, style="bold") for heading in headings], *rows]
    widths = [max(row[column].cell_len for row in cells) for column in range(len(headings) - 1)]
    table = Text()
    for row in cells:
        for cell, width in zip(row, widths, strict=False):
            table.append_text(cell).append(" " * (width - cell.cell_len + 2))
        table.append_text(row[-1]).append("\n")
    return table


def facts(rows: Iterable[tuple[str, Text]]) -> RenderableType:
    """Return names and values, one a line."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(_plain(name.replace("_", " ")), value)
    return table


def _moments(run: "Run", zone: Zone) -> tuple[str, str, str]:
    from apsis.lib.duration import format_duration
    from apsis.lib.instant import parse_instant, to_ms

    started = run.timestamps.get("running") or run.timestamps.get("starting")
    finals: tuple[StateName, ...] = ("success", "failure", "error", "skipped")
    ended = next((run.timestamps[name] for name in finals if name == run.state and name in run.timestamps), None)
    took = ""
    if started and ended:
        took = format_duration((to_ms(parse_instant(ended)) - to_ms(parse_instant(started))) / 1000)
    return zone.show(started) if started else "", zone.show(ended) if ended else "", took


def _args(args: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in args.items())


def _inline(value: Any) -> str:
    match value:
        case Mapping():
            return " ".join(f"{name}={_inline(item)}" for name, item in value.items() if item is not None)
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case _:
            return str(value)


def _told(run: "Run") -> Text:
    """Return the run's message, which attempt it is in where the message does not say, and whether it is late."""
    words = clean(run.message or "")
    if run.attempt > 1 and run.state != "scheduled":
        words.append(f"{'; ' if words else ''}attempt {attempt(run)}")
    if run.breached:
        words.append(f"{' ' if words else ''}[late]", style="yellow")
    return words


def _policies(run: "RunDetail") -> Iterable[tuple[str, Any]]:
    """Yield the policies that the run has, by name."""
    yield from ((name, said) for name, said in (("limits", run.limits), ("retry", run.retry)) if said)
    yield from (("pool", pool) for pool in run.pools)
    yield from (("deadlines", said) for said in (run.deadlines,) if said)


def _next(run: "NextRun", zone: Zone) -> str:
    at = zone.show(run.due or run.schedule_time)
    return f"{at} ({zone.label()})  {run.run_id[:SHORT] if run.made else 'planned later'}  {_args(run.args)}"


def _missed(span: "Missed", zone: Zone) -> str:
    count = f"{span.count:,} time{'s' if span.count > 1 else ''}" if span.count <= MOST_COUNTED else "over 1,000 times"
    return f"{count} of {span.schedule}, {zone.show(span.first)} to {zone.show(span.last)}: {span.reason}"


def _known(**values: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, value in values.items() if value is not None]


def _plain(text: str | None, *, lines: bool = False) -> str:
    if text is None or text.isprintable():
        return text or ""
    shown = (c if c.isprintable() or (lines and c == "\n") else repr(c)[1:-1] for c in text)
    return "".join(shown)
