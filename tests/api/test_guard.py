"""No foreign web page gets in."""

import pytest

from apsis.api.guard import MAX_BODY_BYTES, own_origin, split_host
from tests.api.asking import ask
from tests.api.fakes import FakeServer

RUN = {"job_id": "etl/load", "args": {"date": "2026-11-24"}}


def refused(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status
    return answer.json()


@pytest.mark.parametrize("host", ["127.0.0.1:5050", "localhost", "[::1]:5050", "APSIS.example:80", "localhost.:5050"])
def test_a_request_to_a_known_name_is_answered(host):
    assert ask(FakeServer().app, "GET", "/api/v1/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:5050", "", "[::1", "localhost:1, evil"]
)
def test_a_request_to_an_unknown_name_is_refused_even_to_read(host):
    problem = refused(ask(FakeServer().app, "GET", "/", headers={"Host": host}), 421, "unknown_host")
    assert "allow" in problem["help"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "https://127.0.0.1:5050/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_somebody_else_is_refused(origin, method):
    server = FakeServer()
    answer = ask(server.app, method, "/api/v1/runs", headers={"Origin": origin})
    refused(answer, 403, "foreign_origin")
    assert not server.store.runs


def test_the_own_dashboard_may_post():
    answer = ask(FakeServer().app, "POST", "/api/v1/runs", json=RUN, headers={"Origin": "http://127.0.0.1:5050"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_a_form_cannot_post(kind):
    server = FakeServer()
    headers = {"Content-Type": kind} if kind else {}
    answer = ask(server.app, "POST", "/api/v1/runs", content=b'{"job_id": "etl/load"}', headers=headers)
    refused(answer, 415, "content_type")
    assert not server.store.runs


def test_a_body_may_say_its_charset():
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = ask(FakeServer().app, "POST", "/api/v1/repo/sync", content=b"{}", headers=headers)
    assert answer.status_code == 200


def test_a_body_that_announces_too_much_is_refused():
    answer = ask(FakeServer().app, "POST", "/api/v1/runs", json={"job_id": "x" * MAX_BODY_BYTES})
    refused(answer, 413, "body_too_large")


def test_a_body_that_hides_its_length_is_refused_when_it_gets_too_long():
    async def body():
        for _ in range(20):
            yield b" " * (MAX_BODY_BYTES // 10)

    headers = {"Content-Type": "application/json"}
    answer = ask(FakeServer().app, "POST", "/api/v1/runs", content=body(), headers=headers)
    refused(answer, 413, "body_too_large")


def test_every_answer_forbids_to_guess_types_and_to_frame():
    for path in ("/api/v1/runs", "/api/v1/nothing", "/"):
        headers = ask(FakeServer().app, "GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://a", "a:80", True),
        ("https://a", "a", True),
        ("https://a:443", "a:443", True),
        ("http://[::1]:5050", "[::1]:5050", True),
        ("http://A:5050", "a:5050", True),
        ("http://a", "a:5050", False),
        ("file://a", "a", False),
        ("a", "a", False),
    ],
)
def test_an_origin_is_own_if_it_is_the_host(origin, host, own):
    assert own_origin(origin, host) is own


def test_hosts_are_split_into_name_and_port():
    assert split_host("[::1]:80") == ("::1", "80")
    assert split_host("a.b:1") == ("a.b", "1")
    assert split_host("[fe80::1]") == ("fe80::1", "")
