"""Rendering and times, without a server."""

import re
from dataclasses import replace

import pytest
from rich.console import Console
from whenever import Instant

from apsis.cli import render, render_server, render_why, when
from apsis.cli.exits import CommandError
from apsis.cli.when import Zone, open_zone
from apsis.wire.run import Blocking, ConditionStatus, LogEntry, Run, RunDetail, StateName
from apsis.wire.server import CatchUp, Pending

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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"attempt": 4, "attempts": 4}, "exit code 3; attempt 4 of 4"),
        ({"attempt": 2, "attempts": None, "message": None, "state": "running"}, "attempt 2"),
        ({"attempt": 2, "state": "scheduled", "message": "x; attempt 2 of 4 in 30s"}, "x; attempt 2 of 4 in 30s"),
        ({"breached": ["start_by"]}, "exit code 3 [late]"),
    ],
)
def test_a_line_says_which_attempt_it_is_and_that_it_is_late(changes, told):
    line = text_of(render.runs_table([replace(RUN, **changes)], Zone("UTC"), times=False)).splitlines()[1]
    assert line.rstrip().endswith(f"  {told}")


WAITING = RunDetail(
    **{**vars(RUN), "state": "waiting"},
    program=None,
    conditions=[
        ConditionStatus(condition={}, text="always", holds=True),
        ConditionStatus(
            condition=None,
            text="1 slot of pool db",
            holds=False,
            reason="none free",
            blocking=[Blocking(run_id="rzzzzzzzzzzzzzzzz", job_id="etl/hold", args={"n": "1"}, state="running")],
        ),
        ConditionStatus(condition={}, text="file /x exists", holds=None, value="no file"),
        ConditionStatus(condition={}, text="file /y exists", holds=False, reason="no file", value="no file"),
    ],
    actions=[],
    limits={},
    retry=None,
    pools=[],
    deadlines={},
    meta={},
    output_length=0,
    operations=[],
    as_of="0.0",
)


def test_why_names_what_a_run_waits_for_and_the_runs_in_its_way():
    assert text_of(render_why.why(WAITING, None, Zone("UTC"))).splitlines() == [
        "rabcdefg etl/load is waiting",
        "  holds: always",
        "  waits: 1 slot of pool db; none free",
        "    rzzzzzzz etl/hold n=1 running",
        "  not asked yet: file /x exists; saw last: no file",
        "  waits: file /y exists; no file",
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"state": "scheduled", "due": "2026-11-24T12:00:30.000Z", "message": "scheduled"},
            ["  due 2026-11-24 12:00:30 (UTC)", "  its schedule time is 2026-11-24 12:00:00; the rest is jitter"],
        ),
        (
            {
                "state": "scheduled",
                "due": "2026-11-24T12:00:30.000Z",
                "attempt": 2,
                "message": "exit code 3; attempt 2",
            },
            ["  due 2026-11-24 12:00:30 (UTC)", "  tried again: exit code 3; attempt 2"],
        ),
        ({"state": "failure"}, ["  exit code 3 (2026-11-24 12:01:30)"]),
        (
            {"state": "running", "message": "started", "breached": ["start_by"]},
            ["  started", "  late: it missed start by"],
        ),
        ({"state": "waiting", "conditions": []}, ["  it waits for nothing: it is about to start"]),
    ],
)
def test_why_gives_the_reason_of_every_state(changes, lines):
    said = text_of(render_why.why(replace(WAITING, **changes), None, Zone("UTC"))).splitlines()
    assert [line.rstrip() for line in said[1:]] == lines


def test_why_says_that_the_server_is_held():
    said = text_of(render_why.why(replace(WAITING, conditions=[]), "restored", Zone("UTC")))
    assert "the server is held: restored; `apsis release` lets go" in said


def test_what_is_held_and_owed_is_a_table_with_totals():
    owed = Pending(job_id="etl/load", runs=1000, more=True, oldest="2026-11-24T12:00:00.000Z")
    found = CatchUp(held="restored", jobs=3, runs=1007, pending=[owed], as_of="0.0")
    assert [line.rstrip() for line in text_of(render_server.catch_up(found, Zone("UTC"))).splitlines()] == [
        "held: restored; `apsis release` lets go",
        "JOB       RUNS           OLDEST (UTC)",
        "etl/load  1,000 or more  2026-11-24 12:00:00",
        "1,007 runs of 3 jobs (2 not shown)",
    ]
