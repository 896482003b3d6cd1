"""What is posted, and what an answer means."""

import asyncio
import hashlib
import hmac
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from apsis.actions import webhook
from apsis.actions.sending import FEW, TRIES, Problem
from apsis.actions.webhook import Webhooks, retry_after
from apsis.domain.action import Webhook
from apsis.domain.secret import Secret
from apsis.lib.clock import VirtualClock
from tests.support.jobs import EPOCH
from tests.support.receivers import receiving
from tests.unit.actions.office import EVENT, a_delivery, secrets_of


def send(
    directory: Path, message: Webhook, *, url: str | None = None, event: dict[str, Any] | None = None, **values: str
) -> Problem | None:
    hooks = Webhooks(secrets_of(directory, **values), url, VirtualClock(EPOCH))
    return asyncio.run(hooks.send(a_delivery(message, **(event or {}))))


def test_the_generic_body_is_the_event_and_a_line_of_text(tmp_path: Path) -> None:
    with receiving() as receiver:
        assert send(tmp_path, Webhook(receiver.url + "/x?y=1"), url="https://apsis.example.com") is None
        (post,) = receiver.posts
    assert post.path == "/x?y=1"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["idempotency-key"] == "r1-3-0"
    assert "x-apsis-signature" not in post.headers
    assert json.loads(post.body) == {
        **EVENT,
        "text": "etl/load date=2026-11-24: failure (exit code 3)",
        "url": "https://apsis.example.com/runs/raaaaaaaaaaaaaaaa",
    }


@pytest.mark.parametrize(
    ("message", "event", "body"),
    [
        ({"format": "slack"}, {}, {"text": "etl/load date=2026-11-24: failure (exit code 3)"}),
        (
            {"format": "slack"},
            {"message": "<a & b>", "attempt": 2, "args": {}},
            {"text": "etl/load: failure (&lt;a &amp; b&gt;, attempt 2)"},
        ),
        ({"format": "slack", "body": "{{ job_id }} is *{{ state }}*"}, {}, {"text": "etl/load is *failure*"}),
        (
            {"format": "slack"},
            {"deadline": "start_by", "state": "waiting", "message": ""},
            {"text": "etl/load date=2026-11-24: has not started in time (waiting)"},
        ),
        ({"body": '{"who": "{{ job_id }}"}'}, {}, {"who": "etl/load"}),
    ],
)
def test_other_bodies(tmp_path: Path, message: dict[str, Any], event: dict[str, Any], body: dict[str, str]) -> None:
    with receiving() as receiver:
        assert send(tmp_path, Webhook(receiver.url, **message), event=event) is None
        (post,) = receiver.posts
    assert post.headers["content-type"] == "application/json"
    assert json.loads(post.body) == body


def test_a_body_that_is_no_json_is_sent_as_text(tmp_path: Path) -> None:
    with receiving() as receiver:
        assert send(tmp_path, Webhook(receiver.url, body="{{ job_id }} in Zürich")) is None
        (post,) = receiver.posts
    assert post.headers["content-type"] == "text/plain; charset=utf-8"
    assert post.body == "etl/load in Zürich".encode()


def test_a_body_that_cannot_be_filled_in_is_given_up(tmp_path: Path) -> None:
    with receiving() as receiver:
        problem = send(tmp_path, Webhook(receiver.url, body="{{ nobody }}"))
        assert receiver.posts == []
    assert problem is not None
    assert (problem.words, problem.tries) == ("body: 'nobody' is undefined", 1)


def test_a_receiver_with_the_key_can_check_who_sent_it(tmp_path: Path) -> None:
    with receiving() as receiver:
        message = Webhook(receiver.url, secret=Secret("hook-key"))
        assert send(tmp_path, message, hook_key="a key of ours") is None
        (post,) = receiver.posts
    timestamp = post.headers["x-apsis-timestamp"]
    assert int(timestamp) == int(EPOCH.timestamp())
    signed = timestamp.encode() + b"." + post.body
    wanted = hmac.new(b"a key of ours", signed, hashlib.sha256).hexdigest()
    assert post.headers["x-apsis-signature"] == f"sha256={wanted}"


@pytest.mark.parametrize(
    ("status", "tries"),
    [
        *((status, 0) for status in (200, 201, 204)),
        *((status, FEW) for status in (301, 400, 401, 403, 404, 422)),
        *((status, TRIES) for status in (408, 425, 429, 500, 502, 503, 599)),
        (410, 1),
    ],
)
def test_statuses(tmp_path: Path, status: int, tries: int) -> None:
    with receiving() as receiver:
        receiver.answers.append((status, {"Location": receiver.url, "Retry-After": "7"}))
        receiver.body = b'{"why":\n "no"}'
        problem = send(tmp_path, Webhook(receiver.url))
        assert len(receiver.posts) == 1
    if tries == 0:
        assert problem is None
    else:
        assert problem is not None
        assert problem.tries == tries
        assert problem.words.startswith(f"{receiver.url[7:]} answers {status}")
        assert problem.words.endswith(': {"why": "no"}')
        assert (problem.after_s, problem.away) == ((7, True) if status in (429, 503) else (0, False))


def test_of_an_answer_only_the_beginning_is_read_and_shown(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.answers.append((400, {}))
        receiver.body = b"no! " * 10_000_000
        problem = send(tmp_path, Webhook(receiver.url))
    assert problem is not None
    assert len(problem.words) < 300


def test_nothing_of_a_url_that_is_a_secret_is_in_what_is_said(tmp_path: Path) -> None:
    def problem(url: str) -> str:
        found = send(tmp_path, Webhook(Secret("team-hook")), team_hook=url)
        assert found is not None
        assert "hunter2" not in found.words
        return found.words

    with receiving() as receiver:
        receiver.answers.append((404, {}))
        receiver.body = b"no /hunter2 here"
        assert problem(f"{receiver.url}/hunter2") == "the URL of secret team-hook answers 404 Not Found"
    cannot = "the URL of secret team-hook cannot be reached: ConnectError"
    assert problem(f"{receiver.url}/hunter2") == cannot
    assert problem("http://hunter2.invalid/") == cannot
    no_url = "the URL of secret team-hook is nothing that can be posted to"
    for url in ("hunter2", "ftp://hunter2/", "http://host:hunter2/", "http:///hunter2"):
        assert (url, problem(url)) == (url, no_url)
    # The signing key is not shown either, where an answer repeats it.
    with receiving() as receiver:
        receiver.answers.append((400, {}))
        receiver.body = b"your key hunter2 is bad"
        found = send(tmp_path, Webhook(receiver.url, secret=Secret("key")), key="hunter2")
    assert found is not None
    assert found.words.endswith("your key ******* is bad")


def test_a_receiver_that_hangs_or_hangs_up_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "ANSWER_WITHIN_S", 0.2)
    with receiving() as receiver:
        receiver.answers.extend(["hang", "hang up"])
        host = receiver.url[7:]
        assert send(tmp_path, Webhook(receiver.url)) == Problem(f"{host}: no answer within 0.2 s", away=True)
        hung_up = send(tmp_path, Webhook(receiver.url))
    assert hung_up is not None
    assert hung_up.words.startswith(f"{host} cannot be reached: ")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        problem = send(tmp_path, Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert problem is not None
    assert problem.away


def test_a_secret_that_does_not_come_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no secret 'team-hook'"):
        send(tmp_path, Webhook(Secret("team-hook")))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        ("999999999999", webhook.LONGEST_AFTER_S),
        ("Tue, 24 Nov 2026 12:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    assert retry_after(header, EPOCH) == seconds


def test_what_messages_are_for_is_one_place(tmp_path: Path) -> None:
    hooks = Webhooks(secrets_of(tmp_path), None, VirtualClock(EPOCH))
    assert hooks.destination(Webhook("http://a/b")) == "http://a/b"
    assert hooks.destination(Webhook(Secret("team-hook"))) == "{secret: team-hook}"
