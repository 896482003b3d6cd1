"""JSON into messages."""

import httpx
import pytest

from apsis.client import calls
from apsis.client.decode import decode
from apsis.client.errors import BadAnswer, BadRequest, Conflict, NotFound, ServerFailed
from apsis.wire.job import JobPage
from apsis.wire.run import RunLog

ENTRY = {"seq": 1, "time": "t", "state": "waiting", "message": "due", "who": None}


def test_nested_messages_are_built():
    log = decode(RunLog, {"log": [ENTRY], "as_of": "1.1"})
    assert (log.log[0].seq, log.log[0].who, log.as_of) == (1, None, "1.1")


def test_what_a_newer_server_adds_is_ignored():
    newer = {"log": [ENTRY | {"state": "paused", "colour": "red"}], "as_of": "1.1", "more": True}
    assert decode(RunLog, newer).log[0].state == "paused"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ([], "RunLog"),
        ({"as_of": "1"}, "without log"),
        ({"log": {}, "as_of": "1"}, "RunLog.log"),
        ({"log": [{**ENTRY, "seq": "1"}], "as_of": "1"}, "LogEntry.seq"),
        ({"log": [ENTRY], "as_of": None}, "RunLog.as_of"),
    ],
)
def test_what_is_none_is_told_by_place(value, word):
    with pytest.raises(BadAnswer, match=word):
        decode(RunLog, value)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (400, BadRequest), (422, BadRequest), (503, ServerFailed)]
)
def test_a_problem_is_an_error_by_its_status_and_has_its_code(status, kind):
    problem = b'{"type": "about:blank", "title": "T", "status": %d, "detail": "D", "code": "c", "help": "H"}' % status
    with pytest.raises(kind) as caught:
        calls.jobs(None, None, None, None, None).read(status, problem)
    assert (str(caught.value), caught.value.code, caught.value.help) == ("D", "c", "H")


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"jobs": 1}'])
def test_an_answer_of_something_else_is_no_crash(content):
    with pytest.raises(BadAnswer):
        calls.jobs(None, None, None, None, None).read(200, content)
    with pytest.raises(BadAnswer):
        calls.jobs(None, None, None, None, None).read(502, content)


def test_odd_ids_and_args_are_escaped():
    assert calls.job("a b/c?d").path == "/api/v1/jobs/a%20b/c%3Fd"
    assert calls.run_path("r/../x") == "/api/v1/runs/r%2F..%2Fx"


@pytest.mark.parametrize("job_id", ["..", "../runs", "etl/../../runs", "./x"])
def test_an_id_with_dots_leads_nowhere_else(job_id):
    url = httpx.URL("http://server").join(calls.job(job_id).path)
    assert url.path == f"/api/v1/jobs/{job_id}"
    assert b".." not in url.raw_path


def test_a_page_of_jobs_is_typed():
    page = calls.jobs(None, None, None, None, None).read(200, b'{"jobs": [], "next": null, "as_of": "1"}')
    assert page == JobPage(jobs=[], next=None, as_of="1")
