"""Messages and secrets through a whole server: what arrives, what outlives a kill, and where a value is nowhere."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.receivers import Receiver, mail_server, receiving
from tests.support.server import JobRepo, ServerProcess, eventually, serving

VALUE = "correct-horse-battery"
KEY = "a key that only we have"
HOOKED = """\
program:
  type: shell
  command: |
    echo "password: $PASSWORD"
    until [ -e {gate} ]; do sleep 0.02; done
    echo "still $PASSWORD"
    exit 3
  env: {{set: {{PASSWORD: {{secret: password}}}}}}
action:
  type: webhook
  url: {{secret: hook}}
  secret: {{secret: key}}
  if: {{states: [failure]}}
"""
FAILING = """\
params: [date]
program: {{type: shell, command: exit 3}}
action: {{type: {kind}, if: {{states: [failure]}}}}
"""


def config_of(root: Path, **more: Any) -> Path:
    """Write a configuration with secrets of every kind; JSON is YAML."""
    (root / "password").write_text(VALUE + "\n")
    (root / "key").write_text(KEY)
    secrets = {
        "password": {"file": str(root / "password")},
        "key": {"command": ["cat", str(root / "key")]},
        "hook": {"file": str(root / "hook")},
    }
    path = root / "apsis-server.yaml"
    path.write_text(json.dumps({"secrets": secrets, "url": "https://apsis.example.com/", **more}))
    return path


def messages(server: ServerProcess, run_id: str) -> list[str]:
    return [entry["message"] for entry in server.get(f"/runs/{run_id}/log")["log"]]


def files_with(value: str, root: Path) -> set[str]:
    """Return the files below `root` that contain a value."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)) for path in files if value.encode() in path.read_bytes()}


def answers(server: ServerProcess, run_id: str) -> bytes:
    """Return everything that the API says."""
    paths = ["/runs", f"/runs/{run_id}", f"/runs/{run_id}/log", f"/runs/{run_id}/output", "/jobs", "/jobs/hooked"]
    paths += ["/healthz", "/repo"]
    return b"".join(server.raw(path) for path in paths)


def live(server: ServerProcess, run_id: str) -> bytes:
    """Return what the stream of a run says up to its first output, with that output decoded."""
    said = b""
    with httpx.stream("GET", f"{server.url}/api/v1/runs/{run_id}/events?init=1", timeout=30) as stream:
        for line in stream.iter_lines():
            said += line.encode()
            if line.startswith("data:") and (output := json.loads(line[5:]).get("data")):
                return said + base64.b64decode(output)
    raise AssertionError(said)


def test_a_secret_is_used_and_is_nowhere(tmp_path: Path, repo: JobRepo) -> None:
    gate = tmp_path / "gate"
    repo.push({"hooked.yaml": HOOKED.format(gate=gate)}, "A job with secrets")
    root = tmp_path / "server"
    root.mkdir()
    with receiving() as receiver:
        (tmp_path / "hook").write_text(f"{receiver.url}/{VALUE}")
        receiver.answers.append((503, {}))
        receiver.body = f"/{VALUE} takes nothing now".encode()
        options = ("--repo", repo.url, "--branch", "main", "--poll", "0.2s", "-c", str(config_of(tmp_path)))
        with serving(root, *options) as server:
            eventually(lambda: server.get("/jobs")["jobs"], "the job")
            run_id = server.post("/runs", {"job_id": "hooked", "args": {}})["run_id"]
            shown = b"password: " + b"*" * len(VALUE) + b"\n"
            eventually(lambda: server.output(run_id) == shown, "the first line")
            # The program's own file is where its output comes from, and only there.
            for value in (VALUE, KEY):
                assert all(place.endswith(".output") for place in files_with(value, root))
            streamed = live(server, run_id)
            assert streamed.endswith(shown)
            assert VALUE.encode() not in answers(server, run_id) + streamed
            # A killed server's output is masked by the next.
            server.kill()
            server.start()
            gate.touch()
            server.run_in("failure", job_id="hooked")
            assert server.output(run_id) == shown + b"still " + b"*" * len(VALUE) + b"\n"
            first = "webhook not delivered yet: the URL of secret hook answers 503 Service Unavailable; trying again"
            eventually(lambda: first in messages(server, run_id), "the first failure in the log")
            eventually(lambda: "webhook delivered" in messages(server, run_id), "the delivery in the log")
            said = answers(server, run_id)
            assert server.stop() == 0
        first_post, second = receiver.posts
    assert first_post.path == second.path == f"/{VALUE}"
    assert first_post.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert json.loads(second.body)["text"] == "hooked: failure (exit code 3)"
    assert json.loads(second.body)["url"] == f"https://apsis.example.com/runs/{run_id}"
    signed = second.headers["x-apsis-timestamp"].encode() + b"." + second.body
    digest = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert second.headers["x-apsis-signature"] == f"sha256={digest}"
    for value in (VALUE, KEY):
        assert value.encode() not in said
        assert files_with(value, root) == set()


def test_a_message_outlives_a_killed_server(tmp_path: Path, repo: JobRepo) -> None:
    def keys(receiver: Receiver) -> list[str]:
        return [post.headers["idempotency-key"] for post in receiver.posts]

    with receiving() as receiver:
        repo.push({"failing.yaml": FAILING.format(kind=f"webhook, url: {receiver.url}")}, "A job that fails")
        receiver.answers.append("hang")
        with serving(tmp_path, "--repo", repo.url, "--branch", "main", "--poll", "0.2s") as server:
            eventually(lambda: server.get("/jobs")["jobs"], "the job")
            run_id = server.post("/runs", {"job_id": "failing", "args": {"date": "2026-11-24"}})["run_id"]
            eventually(lambda: len(receiver.posts) == 1, "a message under way")
            server.kill()
            server.start()
            eventually(lambda: "webhook delivered" in messages(server, run_id), "the delivery in the log")
        assert len(keys(receiver)) == 2
        assert len(set(keys(receiver))) == 1


def test_a_mail_arrives(tmp_path: Path, repo: JobRepo) -> None:
    repo.push({"failing.yaml": FAILING.format(kind="email, to: ops@example.com")}, "A job that fails")
    with mail_server() as mails:
        email = {"host": "127.0.0.1", "port": mails.port, "from": "Apsis <apsis@example.com>", "tls": "none"}
        options = (
            "--repo",
            repo.url,
            "--branch",
            "main",
            "--poll",
            "0.2s",
            "-c",
            str(config_of(tmp_path, email=email)),
        )
        with serving(tmp_path, *options) as server:
            eventually(lambda: server.get("/jobs")["jobs"], "the job")
            run_id = server.post("/runs", {"job_id": "failing", "args": {"date": "2026-11-24"}})["run_id"]
            eventually(lambda: "email delivered" in messages(server, run_id), "the delivery in the log")
        (mail,) = mails.mails
    assert mail["Subject"] == "failing date=2026-11-24: failure (exit code 3)"
    assert f"https://apsis.example.com/runs/{run_id}" in mail.get_content()


def test_without_a_mail_server_the_runs_log_says_what_to_do(tmp_path: Path, repo: JobRepo) -> None:
    repo.push({"failing.yaml": FAILING.format(kind="email, to: ops@example.com")}, "A job that fails")
    with serving(tmp_path, "--repo", repo.url, "--branch", "main", "--poll", "0.2s") as server:
        eventually(lambda: server.get("/jobs")["jobs"], "the job")
        run_id = server.post("/runs", {"job_id": "failing", "args": {"date": "2026-11-24"}})["run_id"]
        wanted = "email not delivered, given up: no mail server is configured: say `email: {host: HOST, from: ADDRESS}`"
        eventually(lambda: any(said.startswith(wanted) for said in messages(server, run_id)), "words in the log")
