"""Output by ranges."""

import pytest

from apsis.api.output import parse_range
from apsis.domain.query import StoredOutput
from tests.api.asking import ask
from tests.api.fakes import FakeServer, make_run

OUTPUT = bytes(range(256)) * 1000


@pytest.fixture
def finished():
    server = FakeServer()
    run = server.engine.add(make_run(1))
    server.engine.begin(run.run_id)
    server.engine.finish(run.run_id, OUTPUT)
    return server, f"/api/v1/runs/{run.run_id}/output"


def get(finished, **headers):
    server, path = finished
    return ask(server.app, "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_whole_output_is_the_raw_bytes(finished):
    answer = get(finished)
    assert (answer.status_code, answer.content) == (200, OUTPUT)
    assert answer.headers["content-length"] == str(len(OUTPUT))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-70000", 100, 70001),
        ("bytes=255990-", 255990, 256000),
        ("bytes=255990-999999999", 255990, 256000),
        ("bytes=-5", 255995, 256000),
        ("bytes=-999999999", 0, 256000),
    ],
)
def test_a_range_is_sent_alone(finished, asked, start, stop):
    answer = get(finished, range=asked)
    assert (answer.status_code, answer.content) == (206, OUTPUT[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/256000"


@pytest.mark.parametrize("asked", ["bytes=256000-", "bytes=999999-9999999", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(finished, asked):
    answer = get(finished, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */256000")
    assert answer.json()["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=", "bytes=-"])
def test_a_range_that_is_none_is_ignored(finished, asked):
    assert get(finished, range=asked).status_code == 200


def test_a_finished_output_has_a_name_that_saves_sending_it(finished):
    etag = get(finished).headers["etag"]
    assert get(finished, if_none_match=etag).status_code == 304
    assert get(finished, range="bytes=0-4", if_range=etag).status_code == 206
    assert get(finished, range="bytes=0-4", if_range='"other"').status_code == 200


def test_a_live_run_shows_the_bytes_so_far_without_a_name():
    server = FakeServer()
    run = server.engine.add(make_run(1))
    server.engine.begin(run.run_id)
    server.live.written[run.run_id] = bytearray(b"so far")
    answer = ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/output", headers={"Range": "bytes=3-"})
    assert (answer.status_code, answer.content) == (206, b"far")
    assert "etag" not in answer.headers
    assert ask(server.app, "GET", f"/api/v1/runs/{run.run_id}").json()["output_length"] == 6


def test_a_run_that_never_ran_has_no_output():
    server = FakeServer()
    run = server.engine.add(make_run(1))
    answer = ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/output")
    assert (answer.status_code, answer.content) == (200, b"")
    assert ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/output", headers={"Range": "bytes=0-"}).status_code == 416


def test_a_program_that_ends_while_its_output_is_read_loses_no_byte():
    server = FakeServer()
    run = server.engine.add(make_run(1))
    server.engine.begin(run.run_id)
    server.live.written[run.run_id] = bytearray(OUTPUT)
    read = server.live.read_output

    async def ends(run, start, stop):
        piece = await read(run, start, stop)
        if start > 0 and (run.run_id, run.attempt) not in server.store.outputs:
            server.engine.finish(run.run_id, OUTPUT)
            server.live.written.clear()
        return piece

    server.live.read_output = ends
    assert ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/output").content == OUTPUT


def test_the_end_of_a_range_is_inclusive():
    assert parse_range("bytes=0-9", 100) == (0, 10)
    assert parse_range("bytes= 0 - 9", 100) == (0, 10)
    assert parse_range(None, 100) is None


def test_the_output_of_an_earlier_attempt_is_asked_for_by_its_number():
    server = FakeServer()
    run = server.engine.add(make_run(1, attempt=2))
    for attempt, output in ((1, b"sorry"), (2, b"done")):
        server.store.outputs[run.run_id, attempt] = (StoredOutput(attempt, len(output), f"{attempt}"), output)
    path = f"/api/v1/runs/{run.run_id}/output"
    assert [ask(server.app, "GET", f"{path}{query}").content for query in ("", "?attempt=1", "?attempt=2")] == [
        b"done",
        b"sorry",
        b"done",
    ]
    for bad in ("3", "0", "x"):
        assert ask(server.app, "GET", f"{path}?attempt={bad}").status_code == 422
