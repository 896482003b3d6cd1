"""The API of a real server, over real sockets."""

import base64
import json
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from tests.support.server import PATIENCE_S, ServerProcess, eventually


@contextmanager
def stream(server: ServerProcess, path: str, after: str | None = None) -> Iterator[Iterator[ServerSentEvent]]:
    headers = {"Last-Event-ID": after} if after else {}
    url = f"{server.url}/api/v1{path}"
    with httpx.Client(timeout=PATIENCE_S) as client, connect_sse(client, "GET", url, headers=headers) as source:
        yield (event for event in source.iter_sse() if event.data)


def output_of(events: list[ServerSentEvent]) -> bytes:
    """Join the output events; fail if a byte is missing or comes twice."""
    joined = b""
    for event in events:
        if event.event == "output":
            data = event.json()
            assert data["offset"] == len(joined)
            joined += base64.b64decode(data["data"])
    return joined


def test_what_happens_after_a_page_is_in_the_stream_after_it(live):
    page = live.get("/runs")
    made = live.post("/runs", {"job_id": "noop"})
    with stream(live, f"/events?topics=runs&after={page['as_of']}") as events:
        states = []
        for event in events:
            if event.event == "run" and event.json()["run"]["run_id"] == made["run_id"]:
                states.append(event.json()["run"]["state"])
                if states[-1] == "success":
                    break
    assert states == sorted(set(states), key=["scheduled", "waiting", "starting", "running", "success"].index)


def test_a_run_is_followed_to_its_last_byte_through_a_killed_server(own_live, tmp_path: Path):
    server, gates = own_live, tmp_path / "gates"
    gates.mkdir()
    run_id = server.post("/runs", {"job_id": "slow/gates", "args": {"gates": str(gates)}})["run_id"]
    seen = []
    with stream(server, f"/runs/{run_id}/events?init=1") as events:
        for event in events:
            seen.append(event)
            if event.event == "output":
                break
    server.kill()
    (gates / "1").touch()
    (gates / "2").touch()
    (gates / "3").touch()
    server.start()
    with stream(server, f"/runs/{run_id}/events", seen[-1].id) as events:
        seen += list(events)
    assert seen[-1].event == "bye"
    assert output_of(seen) == b"line 1\nline 2\nline 3\n" + b"y" * 100_000
    log = [event.json()["entry"] for event in seen if event.event == "log"]
    assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert log == server.get(f"/runs/{run_id}/log")["log"]
    assert [e.json()["run"]["state"] for e in seen if e.event == "run"][-1] == "success"


def test_open_streams_end_with_bye_and_do_not_hold_up_the_shutdown(own_live):
    run_id = own_live.post("/runs", {"job_id": "slow/forever"})["run_id"]
    with stream(own_live, "/events") as all_events, stream(own_live, f"/runs/{run_id}/events?init=1") as run_events:
        next(all_events)
        next(run_events)
        assert own_live.stop() == 0
        assert [e.event for e in all_events][-1] == "bye"
        assert [e.event for e in run_events][-1] == "bye"


def test_an_id_of_the_server_before_is_reset(own_live):
    old = own_live.get("/runs")["as_of"]
    own_live.stop()
    own_live.start()
    with stream(own_live, f"/events?after={old}") as events:
        assert [next(events).event for _ in range(2)] == ["hello", "reset"]


def test_a_reader_that_does_not_read_does_not_hold_up_others_and_not_the_shutdown(own_live):
    with socket.create_connection(("127.0.0.1", own_live.port)) as stuck:
        stuck.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with stream(own_live, "/events?topics=runs") as events:
            made = {own_live.post("/runs", {"job_id": "noop"})["run_id"] for _ in range(50)}
            ended = set()
            for event in events:
                if event.event == "run" and event.json()["run"]["state"] == "success":
                    ended.add(event.json()["run"]["run_id"])
                    if made <= ended:
                        break
        assert own_live.stop() == 0


def test_pages_over_the_real_store_do_not_shift_when_runs_arrive(live):
    before = {live.post("/runs", {"job_id": "echo", "args": {"word": str(n)}})["run_id"] for n in range(9)}
    page = live.get("/runs", job_id="echo", limit=2)
    seen = [run["run_id"] for run in page["runs"]]
    while page["next"]:
        live.post("/runs", {"job_id": "echo", "args": {"word": "later"}})
        page = live.get("/runs", job_id="echo", limit=2, cursor=page["next"])
        seen += [run["run_id"] for run in page["runs"]]
    assert len(seen) == len(set(seen))
    assert set(seen) == before


def test_a_finished_output_is_served_by_ranges(live):
    run_id = live.post("/runs", {"job_id": "big"})["run_id"]
    eventually(lambda: live.get(f"/runs/{run_id}")["state"] == "success")
    url = f"{live.url}/api/v1/runs/{run_id}/output"
    whole = httpx.get(url)
    assert whole.content == b"x" * 300_000
    part = httpx.get(url, headers={"Range": "bytes=-7"})
    assert (part.status_code, part.content) == (206, b"x" * 7)
    assert part.headers["content-range"] == "bytes 299993-299999/300000"
    assert httpx.get(url, headers={"Range": "bytes=300000-"}).status_code == 416
    assert httpx.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert live.get(f"/runs/{run_id}")["output_length"] == 300_000


def test_a_job_and_its_next_runs_are_shown(live):
    job = live.get("/jobs/nightly")
    assert job["description"] == "Runs at night."
    assert job["program_type"] == "no-op"
    assert job["schedules"][0]["definition"]["daytime"] == "03:00"
    assert job["next_run"] == job["next_runs"][0]
    assert [j["job_id"] for j in live.get("/jobs", label="night")["jobs"]] == ["nightly"]


def test_a_waiting_run_says_what_it_waits_for(live):
    run_id = live.post("/runs", {"job_id": "waits"})["run_id"]
    eventually(lambda: any(c["reason"] for c in live.get(f"/runs/{run_id}")["conditions"]), "the first answer")
    shown = live.get(f"/runs/{run_id}")
    assert [c["holds"] for c in shown["conditions"]] == [False]
    assert "slow/forever" in shown["conditions"][0]["text"]
    assert shown["operations"] == ["start", "skip", "rerun"]
    assert live.post(f"/runs/{run_id}/skip")["state"] == "skipped"


def test_problems_of_the_real_engine_have_their_codes(live):
    def code(method: str, path: str, body: object = None) -> tuple[int, str]:
        answer = httpx.request(method, f"{live.url}/api/v1{path}", json=body)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, json.loads(answer.content)["code"]

    run_id = live.post("/runs", {"job_id": "noop"})["run_id"]
    eventually(lambda: live.get(f"/runs/{run_id}")["state"] == "success")
    assert code("POST", f"/runs/{run_id}/stop", {}) == (409, "illegal_transition")
    assert code("POST", "/runs/rnope/stop", {}) == (404, "run_not_found")
    assert code("POST", "/runs", {"job_id": "nope"}) == (404, "job_not_found")
    assert code("POST", "/runs", {"job_id": "noop", "args": {"x": "1"}}) == (400, "bad_args")
    assert code("GET", "/runs?cursor=garbage") == (400, "bad_request")
    status, inline = code("POST", "/runs", {"job": {"progam": {"type": "no-op"}}})
    assert 400 <= status < 500, inline


def test_an_inline_job_runs(live):
    run_id = live.post("/runs", {"job": {"program": {"type": "shell", "command": "echo inline"}}})["run_id"]
    eventually(lambda: live.get(f"/runs/{run_id}")["state"] == "success")
    assert live.output(run_id) == b"inline\n"


def test_a_database_that_somebody_holds_is_told_and_loses_nothing(own_live):
    health = f"{own_live.url}/healthz"
    with closing(sqlite3.connect(own_live.state / "apsis.db", isolation_level=None)) as foreign:
        foreign.execute("begin immediate")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(own_live.post, "/runs", {"job_id": "noop"})
            answer = eventually(lambda: (a := httpx.get(health)).status_code == 503 and a, "the failing health")
            assert answer.headers["content-type"] == "application/problem+json"
            assert (answer.json()["code"], "locked" in answer.json()["detail"]) == ("store_error", True)
            assert not asked.done()
            foreign.execute("rollback")
            run_id = asked.result(PATIENCE_S)["run_id"]
    eventually(lambda: own_live.get(f"/runs/{run_id}")["state"] == "success", "the run")
    assert httpx.get(health).json()["status"] == "ok"
