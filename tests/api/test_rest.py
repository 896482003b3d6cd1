"""Resources: parse, ask, answer; and what goes wrong, as problems."""

import asyncio
import dataclasses
import logging

import pytest
from whenever import TimeDelta

from apsis.api.coding import from_json
from apsis.domain.args import Args
from apsis.domain.errors import StoreError
from apsis.domain.job import Bound
from apsis.domain.missed import Missed
from apsis.domain.policy import Deadlines, Limits, Pool, Retry
from apsis.domain.program import NoOp
from apsis.domain.state import State
from apsis.engine.holding import Pending
from apsis.wire import job, repo, run
from tests.api.asking import ask, asking
from tests.api.fakes import T0, FakeServer, make_job, make_run


@pytest.fixture
def server():
    return FakeServer()


def problem(answer, status, code):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code
    return answer.json()["detail"]


def test_a_run_is_made_shown_and_found(server):
    body = {"job_id": "etl/load", "args": {"date": "2026-11-24"}, "schedule_time": "2026-11-25T09:00:00Z", "label": "x"}
    made = ask(server.app, "POST", "/api/v1/runs", json=body)
    assert made.status_code == 201
    one = from_json(run.Run, made.content)
    assert (one.schedule_time, one.label, one.adhoc) == ("2026-11-25T09:00:00.000Z", "x", True)
    assert made.headers["location"] == f"/api/v1/runs/{one.run_id}"

    detail = from_json(run.RunDetail, ask(server.app, "GET", made.headers["location"]).content)
    assert detail.operations == ["start", "skip", "rerun"]
    page = from_json(run.RunPage, ask(server.app, "GET", "/api/v1/runs?job_id=etl/load&arg.date=2026-11-24").content)
    assert [r.run_id for r in page.runs] == [one.run_id]
    assert not ask(server.app, "GET", "/api/v1/runs?arg.date=2026-11-25").json()["runs"]


def test_pages_do_not_shift_when_runs_arrive_between_them(server):
    for number in range(10):
        server.engine.add(make_run(number))
    first = ask(server.app, "GET", "/api/v1/runs?limit=4").json()
    server.engine.add(make_run(99))
    seen = first["runs"]
    cursor = first["next"]
    while cursor:
        page = ask(server.app, "GET", f"/api/v1/runs?limit=4&cursor={cursor}").json()
        seen, cursor = seen + page["runs"], page["next"]
    assert [r["run_id"] for r in seen] == [make_run(number).run_id for number in reversed(range(10))]


def test_a_page_may_be_asked_for_oldest_first(server):
    for number in range(3):
        server.engine.add(make_run(number))
    runs = ask(server.app, "GET", "/api/v1/runs?order=asc").json()["runs"]
    assert [r["run_id"] for r in runs] == [make_run(number).run_id for number in range(3)]


def test_runs_are_filtered_by_states_and_times(server):
    server.engine.add(make_run(1, state=State.SUCCESS))
    server.engine.add(make_run(2, state=State.FAILURE))
    server.engine.add(make_run(3, state=State.RUNNING))

    def found(query):
        return {r["state"] for r in ask(server.app, "GET", f"/api/v1/runs?{query}").json()["runs"]}

    assert found("state=success,failure") == {"success", "failure"}
    assert found("state=success&state=running") == {"success", "running"}
    assert found("since=2026-11-24T12:00:02Z") == {"failure", "running"}
    assert found("since=2026-11-24T13:00:02%2B01:00") == {"failure", "running"}
    assert found("since=2026-11-24T13:00:02+01:00") == {"failure", "running"}
    assert found("until=2026-11-24T12:00:02Z") == {"success"}


def test_runs_are_found_by_the_beginning_of_their_ids(server):
    wanted = server.engine.add(make_run(1))
    server.engine.add(make_run(2))
    runs = ask(server.app, "GET", f"/api/v1/runs?prefix={wanted.run_id[:6]}").json()["runs"]
    assert [r["run_id"] for r in runs] == [wanted.run_id]
    assert len(ask(server.app, "GET", "/api/v1/runs?prefix=r").json()["runs"]) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=done", "state"),
        ("since=yesterday", "since"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=²", "limit"),
        ("order=up", "order"),
        ("job=etl", "job"),
        ("prefix=r&state=running", "state"),
        ("limit=1&limit=2", "limit"),
        ("arg.date=a&arg.date=b", "arg.date"),
    ],
)
def test_a_wrong_parameter_is_named(server, query, field):
    assert problem(ask(server.app, "GET", f"/api/v1/runs?{query}"), 422, "invalid").startswith(f"{field}: ")


@pytest.mark.parametrize("path", ["", "/log", "/output", "/events"])
def test_one_run_has_no_parameters_that_are_not_known(server, path):
    run = server.engine.add(make_run(1))
    detail = problem(ask(server.app, "GET", f"/api/v1/runs/{run.run_id}{path}?x=1"), 422, "invalid")
    assert detail == "x: no such parameter"


def test_a_limit_beyond_all_bounds_is_the_most_there_is(server):
    server.engine.add(make_run(1))
    assert len(ask(server.app, "GET", f"/api/v1/runs?limit={'9' * 5000}").json()["runs"]) == 1


@pytest.mark.parametrize("query", ["init=2", "output=no", "init="])
def test_a_flag_is_one_or_nought(server, query):
    run = server.engine.add(make_run(1))
    problem(ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/events?{query}"), 422, "invalid")


def test_words_that_are_kept_for_ever_are_short(server):
    job = {"job_id": "etl/load", "args": {"date": "2026-11-24"}}
    answer = ask(server.app, "POST", "/api/v1/runs", json={**job, "label": "x" * 1001})
    assert problem(answer, 422, "invalid") == "label: has more than 1,000 characters"
    answer = ask(server.app, "POST", "/api/v1/runs", json={**job, "args": {"date": "x" * 70_000}})
    assert problem(answer, 422, "invalid").startswith("args: ")
    assert not server.store.runs

    run_id = ask(server.app, "POST", "/api/v1/runs", json={**job, "label": "x" * 1000}).json()["run_id"]
    for operation, body in {"skip": {}, "mark": {"state": "success"}, "rerun": {}}.items():
        answer = ask(server.app, "POST", f"/api/v1/runs/{run_id}/{operation}", json={**body, "reason": "x" * 1001})
        assert problem(answer, 422, "invalid").startswith("reason: ")
    assert ask(server.app, "GET", f"/api/v1/runs/{run_id}").json()["state"] == "scheduled"


def test_a_slip_in_a_parameter_gets_a_suggestion(server):
    assert ask(server.app, "GET", "/api/v1/runs?stat=running").json()["help"] == "Did you mean state?"


def test_a_foreign_cursor_is_refused(server):
    problem(ask(server.app, "GET", "/api/v1/runs?cursor=xyz"), 400, "bad_request")


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        (b"{", 400, "malformed", "JSON"),
        (b"\xff", 400, "malformed", "JSON"),
        (b"[" * 100_000, 400, "malformed", "JSON"),
        (b"[]", 400, "malformed", "object"),
        (b"{}", 422, "invalid", "job_id"),
        (b'{"job_id": "a", "job": {}}', 422, "invalid", "job_id"),
        (b'{"job_id": 7}', 422, "invalid", "job_id"),
        (b'{"job_id": "etl/load", "args": {"date": 7}}', 422, "invalid", "args.date"),
        (b'{"job_id": "etl/load", "arg": {}}', 422, "invalid", "arg"),
        (b'{"job_id": "etl/load", "schedule_time": "soon"}', 422, "invalid", "schedule_time"),
        (b'{"job_id": "etl/load"}', 400, "bad_args", "missing date"),
        (b'{"job_id": "etl/lod"}', 404, "job_not_found", "etl/lod"),
    ],
)
def test_a_body_that_cannot_be_is_told_why(server, body, status, code, word):
    answer = ask(server.app, "POST", "/api/v1/runs", content=body, headers={"Content-Type": "application/json"})
    assert word in problem(answer, status, code)


def test_an_inline_job_runs(server):
    answer = ask(server.app, "POST", "/api/v1/runs", json={"job": {"program": {"type": "no-op"}}})
    assert answer.status_code == 201


def test_operations_answer_the_run_and_are_logged_with_who_and_why(server):
    one = server.engine.add(make_run(1))
    headers = {"X-Apsis-Who": "ada\n of the night shift " + "x" * 100}
    answer = ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/skip", json={"reason": "holiday"}, headers=headers)
    assert answer.json()["state"] == "skipped"
    entry = ask(server.app, "GET", f"/api/v1/runs/{one.run_id}/log").json()["log"][-1]
    assert entry["message"] == "asked to skip: holiday"
    assert entry["who"].startswith("ada of the night shift")
    assert len(entry["who"]) == 64


def test_an_operation_needs_no_body(server):
    one = server.engine.add(make_run(1))
    answer = ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/skip", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert ask(server.app, "GET", f"/api/v1/runs/{one.run_id}/log").json()["log"][-1]["who"] == "api"


def test_an_operation_that_the_state_forbids_conflicts(server):
    one = server.engine.add(make_run(1))
    detail = problem(ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/stop", json={}), 409, "illegal_transition")
    assert one.run_id in detail
    assert "scheduled" in detail


def test_a_finished_run_is_marked_and_rerun(server):
    one = server.engine.add(make_run(1, state=State.FAILURE))
    marked = ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/mark", json={"state": "success", "reason": "by hand"})
    assert marked.json()["state"] == "success"
    again = ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/rerun", json={})
    assert (again.status_code, again.json()["rerun_of"]) == (201, one.run_id)
    answer = ask(server.app, "POST", f"/api/v1/runs/{one.run_id}/mark", json={"state": "running"})
    assert problem(answer, 422, "invalid").startswith("state: ")


@pytest.mark.parametrize(
    "method_and_path", ["GET ", "GET /log", "GET /output", "GET /events", "POST /start", "POST /rerun"]
)
def test_a_run_that_is_not_there_is_not_found(server, method_and_path):
    method, path = method_and_path.split(" ")
    answer = ask(server.app, method, f"/api/v1/runs/rnope{path}", headers={"Content-Type": "application/json"})
    assert "rnope" in problem(answer, 404, "run_not_found")


def test_a_waiting_run_shows_what_it_waits_for(server):
    one = server.engine.add(make_run(1, state=State.WAITING))
    shown = ask(server.app, "GET", f"/api/v1/runs/{one.run_id}").json()["conditions"]
    assert [(c["text"], c["holds"]) for c in shown] == [("dependency on etl/extract in success", False)]


def test_jobs_are_paged_by_id_and_filtered(server):
    for name in ("a", "b/c", "b/d"):
        server.engine.jobs[name] = make_job(name, labels=("nightly",) if name == "b/d" else ())
    first = from_json(job.JobPage, ask(server.app, "GET", "/api/v1/jobs?limit=2").content)
    assert ([j.job_id for j in first.jobs], first.next) == (["a", "b/c"], "b/c")
    last = ask(server.app, "GET", f"/api/v1/jobs?limit=2&cursor={first.next}").json()
    assert ([j["job_id"] for j in last["jobs"]], last["next"]) == (["b/d", "etl/load"], None)
    assert [j["job_id"] for j in ask(server.app, "GET", "/api/v1/jobs?prefix=b/").json()["jobs"]] == ["b/c", "b/d"]
    assert [j["job_id"] for j in ask(server.app, "GET", "/api/v1/jobs?label=nightly").json()["jobs"]] == ["b/d"]
    assert ask(server.app, "GET", "/api/v1/jobs?repo=other").json()["jobs"] == []


def test_a_job_shows_its_definition_and_next_runs(server):
    coming = server.engine.add(make_run(1))
    shown = from_json(job.JobDetail, ask(server.app, "GET", "/api/v1/jobs/etl/load").content)
    assert shown.source == "# etl/load\n"
    assert [s.text for s in shown.schedules] == ["each hour"]
    assert [r.run_id for r in shown.next_runs] == [coming.run_id]
    assert ask(server.app, "GET", "/api/v1/jobs/etl%2Fload").json()["job_id"] == "etl/load"


def test_a_job_that_is_not_there_gets_near_misses(server):
    answer = ask(server.app, "GET", "/api/v1/jobs/etl/laod")
    problem(answer, 404, "job_not_found")
    assert answer.json()["help"] == "Did you mean etl/load?"


def test_repositories_are_shown_and_synced(server):
    page = from_json(repo.RepoPage, ask(server.app, "GET", "/api/v1/repo").content)
    assert (page.repos[0].status, page.repos[0].jobs) == ("synced", 1)
    assert page.revisions[""][0].message == "Load the numbers"
    assert ask(server.app, "POST", "/api/v1/repo/sync", json={}).json() == dataclasses.asdict(page)
    assert server.repos.synced == 1


def test_health_says_which_server_it_is(server):
    for path in ("/healthz", "/api/v1/healthz"):
        health = ask(server.app, "GET", path).json()
        assert (health["status"], health["version"]) == ("ok", "0.1.0")
        assert health["server_start"] == "2026-11-24T12:00:00.000Z"


@pytest.mark.parametrize(
    "path", ["/api", "/api/v1", "/api/v1/", "/api/v1/nope", "/api/v2/runs", "/api/v1/runs/", "/api/v1/runs/r/x"]
)
def test_an_unknown_path_of_the_api_is_a_problem_and_no_page(server, path):
    assert path in problem(ask(server.app, "GET", path), 404, "not_found")


def test_a_wrong_method_says_which_are_right(server):
    answer = ask(server.app, "PUT", "/api/v1/healthz", json={})
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
    runs = ask(server.app, "PUT", "/api/v1/runs", json={})
    problem(runs, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(runs.headers["allow"].split(", "))
    assert ask(server.app, "HEAD", "/api/v1/runs").status_code == 200
    problem(ask(server.app, "POST", "/healthz", json={}), 405, "method_not_allowed")
    problem(ask(server.app, "POST", "/jobs/x", json={}), 405, "method_not_allowed")


def test_a_database_that_fails_is_a_503(server):
    async def broken(_run_id):
        raise StoreError("disk full")

    server.store.load_run = broken
    assert problem(ask(server.app, "GET", "/api/v1/runs/r"), 503, "store_error") == "disk full"


def test_a_bug_is_a_500_without_details_and_its_traceback_is_in_the_log(server, caplog):
    async def bug(_run_id):
        raise ZeroDivisionError("secret")

    server.store.load_run = bug
    with caplog.at_level(logging.ERROR):
        answer = ask(server.app, "GET", "/api/v1/runs/r")
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
    assert "/api/v1/runs/r" in caplog.text


def test_as_of_is_from_before_the_query(server):
    """What happens while the store reads comes again in the stream, so nothing falls between."""
    slow = server.store.find_runs

    async def reading(*args, **more):
        page = await slow(*args, **more)
        server.engine.add(make_run(2))
        return page

    server.store.find_runs = reading
    before = server.hub.as_of
    assert ask(server.app, "GET", "/api/v1/runs").json()["as_of"] == before
    assert server.hub.as_of != before


def test_args_with_odd_names_and_values_come_through(server):
    one = server.engine.add(make_run(1, args=Args({"a b&c=d/é": "ü=&\n"})))

    async def find():
        async with asking(server.app) as client:
            return await client.get("/api/v1/runs", params={"arg.a b&c=d/é": "ü=&\n"})

    assert [r["run_id"] for r in asyncio.run(find()).json()["runs"]] == [one.run_id]


def test_what_is_due_is_listed_worst_first_and_released_once(server):
    server.engine.held = "restored"
    server.engine.owed = [Pending("a", 2, False, T0), None, Pending("b", 1000, True, T0)]
    page = ask(server.app, "GET", "/api/v1/catch-up").json()
    assert (page["held"], page["jobs"], page["runs"]) == ("restored", 2, 1002)
    assert [(p["job_id"], p["runs"], p["more"]) for p in page["pending"]] == [("b", 1000, True), ("a", 2, False)]
    assert ask(server.app, "GET", "/healthz").json()["held"] == "restored"

    for _ in range(2):
        after = ask(server.app, "POST", "/api/v1/catch-up/release", json={}, headers={"X-Apsis-Who": "ada"})
        assert (after.status_code, after.json()["held"]) == (200, None)
    assert (server.engine.released_by, server.store.held) == (["ada"], False)


def test_pools_say_how_full_they_are_and_who_is_in_them(server):
    (pool,) = ask(server.app, "GET", "/api/v1/pools").json()["pools"]
    assert (pool["name"], pool["size"], pool["taken"], pool["waiting"]) == ("db", 3, 2, 1)
    assert [(run["job_id"], run["state"]) for run in pool["holders"]] == [("etl/load", "running")]


def test_stats_have_what_is_in_memory_and_on_disk(server):
    assert ask(server.app, "GET", "/api/v1/stats").json() == {
        "held": None,
        "engine": {"jobs": 1},
        "store": {"runs": {"success": 7}},
    }


def test_a_run_that_is_tried_again_says_so_and_its_policies_are_in_its_detail(server):
    pool, limits = Pool("db", 2, "skip"), Limits(running_s=60)
    bound = Bound(NoOp(), retry=Retry(3, delay_s=30), pools=(pool,), limits=limits, deadlines=Deadlines(start_by_s=5))
    due = T0 + TimeDelta(seconds=90)
    run = server.engine.add(make_run(1, attempt=2, due=due, bound=bound, breached=("start_by",)))
    shown = ask(server.app, "GET", f"/api/v1/runs/{run.run_id}").json()
    assert (shown["attempt"], shown["attempts"], shown["due"]) == (2, 4, "2026-11-24T12:01:30.000Z")
    assert shown["breached"] == ["start_by"]
    assert (shown["retry"]["count"], shown["retry"]["delay_s"]) == (3, 30.0)
    assert (shown["limits"], shown["deadlines"]) == ({"running_s": 60.0}, {"start_by_s": 5.0})
    assert shown["pools"] == [{"name": "db", "slots": 2, "policy": "skip"}]
    first = server.engine.add(make_run(2, due=make_run(2).schedule_time, bound=bound))
    shown = ask(server.app, "GET", f"/api/v1/runs/{first.run_id}").json()
    assert (shown["attempts"], shown["due"], shown["breached"]) == (None, None, [])


def test_a_waiting_run_names_what_is_in_its_way(server):
    run = server.engine.add(make_run(1))
    (condition,) = ask(server.app, "GET", f"/api/v1/runs/{run.run_id}").json()["conditions"]
    assert (condition["holds"], condition["reason"]) == (False, "not yet")
    assert [(one["run_id"], one["state"]) for one in condition["blocking"]] == [(make_run(77).run_id, "scheduled")]


def test_a_job_shows_its_policies_and_what_it_missed(server):
    server.store.spans = [Missed("etl/load", "each hour", 3, T0, T0, "catch_up is latest", T0)]
    shown = ask(server.app, "GET", "/api/v1/jobs/etl/load").json()
    assert shown["policies"] == {"retry": {"count": 3}}
    assert [(m["count"], m["reason"]) for m in shown["missed"]] == [(3, "catch_up is latest")]


def test_a_held_server_says_that_it_cannot_sync(server):
    server.engine.held = "restored"
    detail = problem(ask(server.app, "POST", "/api/v1/repo/sync", json={}), 409, "held")
    assert detail == "the server is held (restored): commits are applied after its release"
    assert server.repos.synced == 0
