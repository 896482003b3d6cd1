"""Rendering and times, without a server."""

import re

import pytest
from rich.console import Console
from whenever import Instant

from apsis.cli import render, when
from apsis.cli.exits import CommandError
from apsis.cli.when import Zone, open_zone
from apsis.wire.run import LogEntry, Run, StateName

RUN = Run(
    run_id="rabcdefghijklmnop",
    job_id="etl/load",
    args={"date": "2026-11-24"},
    state="failure",
    schedule_time="2026-11-24T12:00:00.000Z",
    timestamps={"running": "2026-11-24T12:00:00.500Z", "failure": "2026-11-24T12:01:30.750Z"},
    attempt=1,
    breached=[],
    rerun_of=None,
    label=None,
    labels=[],
    expected=False,
    adhoc=False,
    repo="",
    revision=None,
    path=None,
    blob=None,
    message="exit code 3",
)


def text_of(renderable, width=200):
    console = Console(width=width, color_system=None, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(renderable, no_wrap=True, end="")
        return console.export_text()


def test_a_run_is_one_line_with_times_in_the_zone():
    heading, line = text_of(render.runs_table([RUN], Zone("Asia/Tokyo"), times=True)).splitlines()
    assert heading.split() == [
        "RUN",
        "JOB",
        "ARGS",
        "STATE",
        "SCHEDULE",
        "(Asia/Tokyo)",
        "STARTED",
        "ENDED",
        "TOOK",
        "MESSAGE",
    ]
    assert re.split(r" {2,}", line.rstrip()) == [
        "rabcdefg",
        "etl/load",
        "date=2026-11-24",
        "failure",
        "2026-11-24 21:00:00",
        "2026-11-24 21:00:00",
        "2026-11-24 21:01:30",
        "1m 30.25s",
        "exit code 3",
    ]


def test_what_others_wrote_cannot_command_the_terminal_nor_be_markup():
    entry = LogEntry(
        seq=1, time=RUN.schedule_time, state="error", message="\x1b]0;pwned\x07 [red]x[/red]\n2", who="\x9b1m"
    )
    shown = text_of(render.log_table([entry], Zone("UTC")))
    assert r"\x1b]0;pwned\x07 [red]x[/red]\n2" in shown
    assert r"\x9b1m" in shown


def test_every_state_has_a_colour():
    assert set(render.COLOURS) == set(StateName.__args__)


@pytest.mark.parametrize(
    ("text", "ago", "instant"),
    [
        ("2026-11-24T12:00:00Z", True, "2026-11-24T12:00:00.000Z"),
        ("2026-11-24T12:00:00+09:00", True, "2026-11-24T03:00:00.000Z"),
        ("2026-11-24", True, "2026-11-24T05:00:00.000Z"),
        ("2026-11-24 09:30", True, "2026-11-24T14:30:00.000Z"),
        ("2026-11-24T09:30:15", True, "2026-11-24T14:30:15.000Z"),
        ("09:30", True, "2026-11-24T14:30:00.000Z"),
        ("2h", True, "2026-11-24T10:00:00.000Z"),
        ("1h 30m", False, "2026-11-24T13:30:00.000Z"),
        ("2026-03-08 02:30", True, "2026-03-08T07:30:00.000Z"),
    ],
)
def test_times_are_read_in_the_zone(monkeypatch, text, ago, instant):
    monkeypatch.setattr(when, "now", lambda: Instant.from_utc(2026, 11, 24, 12))
    assert Zone("America/New_York").read(text, ago=ago) == instant


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "25:00", "9:3", "-2h"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(CommandError) as caught:
        Zone("UTC").read(text, ago=True)
    assert caught.value.exit_code == 2


def test_an_unknown_zone_gets_a_suggestion():
    with pytest.raises(CommandError) as caught:
        open_zone("America/NewYork")
    assert "America/New_York" in caught.value.help
    assert open_zone("").name is None


def test_a_line_that_is_too_long_for_a_terminal_is_cut_so_that_columns_stay_columns(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    render.show(render.runs_table([RUN, RUN], Zone("UTC"), times=True))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 40 for line in lines)
