"""What a stream decides, without a server."""

import json

import pytest

from apsis.client.errors import BadAnswer, ServerUnreachable, TimedOut
from apsis.client.stream import PATIENCE_S, PING_S, SILENCE_S, SLICE_S, Events, RunEvents
from apsis.wire.events import Reset, RunChanged

RUN = {
    "run_id": "r1",
    "job_id": "a",
    "args": {},
    "state": "running",
    "schedule_time": "2026-11-24T12:00:00.000Z",
    "timestamps": {},
    "attempt": 1,
    "rerun_of": None,
    "label": None,
    "labels": [],
    "expected": False,
    "adhoc": True,
    "repo": "",
    "revision": None,
    "path": None,
    "blob": None,
    "message": None,
}


def run_in(state):
    return json.dumps({"run": RUN | {"state": state}})


def test_a_stream_goes_on_from_the_last_id():
    stream = Events((), "5.1")
    assert stream.headers == {}
    assert stream.query == (("after", "5.1"),)
    stream.took("ping", '{"time": "t"}', "5.7", now=0)
    assert stream.headers == {"Last-Event-ID": "5.7"}


def test_what_is_about_the_connection_is_kept_back():
    stream = Events(("runs",), None)
    assert stream.took("hello", '{"version": "1", "server_start": "s", "as_of": "5.0"}', "5.0", now=0) is None
    assert stream.took("message", "", "", now=0) is None
    assert stream.took("of-a-newer-server", "{}", "5.1", now=0) is None
    assert stream.took("reset", '{"as_of": "6.0"}', "6.0", now=0) == Reset(as_of="6.0")


def test_the_summary_stream_survives_bye():
    stream = Events((), None)
    stream.took("bye", "{}", "", now=0)
    assert not stream.over
    assert stream.pauses


@pytest.mark.parametrize(("state", "over"), [("running", False), ("success", True), ("skipped", True)])
def test_a_runs_stream_is_over_at_bye_only_if_the_run_is_final(state, over):
    stream = RunEvents("r1", 0, output=True)
    assert isinstance(stream.took("run", run_in(state), "1.1.0", now=0), RunChanged)
    stream.took("bye", "{}", "", now=0)
    assert stream.over is over


def test_a_withdrawn_run_is_over():
    stream = RunEvents("r1", 0, output=True)
    stream.took("run-withdrawn", '{"run_id": "r1", "job_id": "a"}', "", now=0)
    stream.took("bye", "{}", "", now=0)
    assert stream.over


def test_a_server_that_never_answered_is_unreachable_at_once_and_one_that_did_gets_time_to_restart():
    stream = Events((), None)
    with pytest.raises(ServerUnreachable):
        stream.failed("http://x", "refused", now=0)
    stream.took("ping", '{"time": "t"}', "5.7", now=0)
    stream.failed("http://x", "refused", now=PATIENCE_S)
    with pytest.raises(ServerUnreachable, match="http://x"):
        stream.failed("http://x", "refused", now=PATIENCE_S + 1)


def test_a_deadline_is_kept_though_pings_are_rare():
    stream = RunEvents("r1", 0, output=False, timeout_s=PING_S + 1)
    assert stream.silence_s(0) == SILENCE_S
    assert not stream.renew(0)
    assert stream.renew(2)
    assert not stream.pauses
    assert stream.silence_s(2) == SLICE_S
    assert not stream.renew(3)
    assert stream.silence_s(PING_S + 0.5) == 0.5
    for late in (stream.renew, stream.silence_s, lambda now: stream.failed("x", "", now)):
        with pytest.raises(TimedOut, match="r1"):
            late(PING_S + 1)


def test_an_answer_that_is_no_stream_is_told():
    with pytest.raises(BadAnswer):
        Events((), None).connected("text/html")
