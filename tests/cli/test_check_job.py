"""`apsis check-job`, as a process: what it prints, and how it exits."""

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = "program: {type: no-op}\n"
BAD = "params: [date]\nprogram: {type: shell, command: '日本 {{ daet }}'}\n"
BAD_SAID = """\
{path}:2:40: error unknown_name: 'daet' is not defined
  program: {{type: shell, command: '日本 {{{{ daet }}}}'}}
                                           ^
  help: Did you mean date?

"""


def check_job(*args: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "apsis.cli.check_job", *map(str, args)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


def test_a_repository_without_mistakes_is_ok(tmp_path: Path) -> None:
    done = check_job(write(tmp_path, a=GOOD, etl__b=GOOD))
    assert (done.returncode, done.stdout, done.stderr) == (0, "checked 2 jobs: ok\n", "")


def test_the_current_directory_is_checked_when_none_is_given(tmp_path: Path) -> None:
    done = check_job(cwd=write(tmp_path, a=BAD, b=GOOD))
    assert done.returncode == 1
    assert done.stdout == BAD_SAID.format(path="a.yaml") + "checked 2 jobs: 1 error, 0 warnings\n"


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    text = GOOD + "schedule: {type: daily, tz: America/New_York, daytime: 2:30}\n"
    done = check_job(write(tmp_path, a=text))
    assert done.returncode == 0
    assert "a.yaml:2:56: warning dst_skipped: " in done.stdout
    assert done.stdout.endswith("checked 1 job: 0 errors, 1 warning\n")


def test_files_are_checked_within_their_repository(tmp_path: Path) -> None:
    root = write(tmp_path, apsis="jobs: jobs", jobs__a=BAD, jobs__b=BAD)
    (root / "jobs/up.yaml").write_text(f"{GOOD}condition: {{type: dependency, job_id: b, args: {{date: x}}}}\n")
    done = check_job(root / "jobs/up.yaml", root / "jobs/b.yaml")
    assert done.returncode == 1
    assert "jobs/b.yaml:2" in done.stdout
    assert "jobs/a.yaml" not in done.stdout
    assert done.stdout.endswith("checked 2 jobs: 1 error, 0 warnings\n")


def test_json_has_everything(tmp_path: Path) -> None:
    done = check_job("--format", "json", write(tmp_path, a=BAD, b=""))
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "findings": [
            {
                "code": "unknown_name",
                "severity": "error",
                "path": "a.yaml",
                "line": 2,
                "column": 40,
                "message": "'daet' is not defined",
                "help": "Did you mean date?",
            },
            {
                "code": "yaml",
                "severity": "error",
                "path": "b.yaml",
                "line": None,
                "column": None,
                "message": "the file is empty",
                "help": None,
            },
        ],
        "jobs": 2,
        "errors": 2,
        "warnings": 0,
        "ok": False,
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere"], "there is no file or directory 'nowhere'"),
        (["notes.txt"], "notes.txt is no job file"),
        (["empty"], "holds no files"),
        (["--rev", "HEAD"], "is no git repository"),
        (["--format", "xml"], "xml"),
        (["--nope"], "nope"),
    ],
)
def test_what_cannot_be_checked_is_a_usage_error(tmp_path: Path, args: list[str], words: str) -> None:
    write(tmp_path, a=GOOD)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    done = check_job(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_git_revision_is_checked_as_it_was(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    write(tmp_path, jobs__a=BAD)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "bad")
    write(tmp_path, jobs__a=GOOD)
    assert check_job(tmp_path).returncode == 0
    assert check_job(tmp_path, "--rev", "HEAD").stdout.startswith(BAD_SAID.format(path="jobs/a.yaml"))
    assert check_job(tmp_path / "jobs", "--rev", "HEAD").stdout.startswith(BAD_SAID.format(path="a.yaml"))
    assert check_job(tmp_path, "--rev", "nope").returncode == 2


def on_a_terminal(folder: Path, **env: str) -> str:
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "apsis.cli.check_job", folder]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **env}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            while process.poll() is None or select.select([ours], [], [], 0)[0]:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:  # Linux says so when the other end is closed
                    break
        return shown.decode()
    finally:
        os.close(ours)


def test_a_terminal_gets_colours_unless_it_wants_none(tmp_path: Path) -> None:
    write(tmp_path, a=BAD)
    assert "\x1b[1;31merror unknown_name\x1b[0m" in on_a_terminal(tmp_path)
    assert "\x1b" not in on_a_terminal(tmp_path, NO_COLOR="1")


def test_a_file_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "evil\x1b]0;x\x07.yaml").write_text("foo: \u202e1\n")
    (tmp_path / "evil.yaml").write_text("foo: \u202e1\n", encoding="utf-8")
    done = check_job(tmp_path)
    assert done.returncode == 1
    assert not any(c in done.stdout for c in "\x1b\x07\u202e")


def test_the_examples_are_ok() -> None:
    done = check_job("jobs-example")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" jobs: ok\n")


def test_no_server_code_is_imported_and_nothing_heavy_for_help() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from apsis.cli.check_job import app\n"
        "before = {'pydantic', 'jinja2', 'yaml', 'git'} & set(sys.modules)\n"
        "code = CliRunner().invoke(app, ['jobs-example']).exit_code\n"
        "print(code, before, {'starlette', 'uvicorn', 'sqlite3', 'websockets', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0 set() set()\n"


def test_the_script_for_a_ci_fails_as_the_check_does(tmp_path: Path) -> None:
    write(tmp_path, a=BAD)
    script = ROOT / "checks/check-job.sh"
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    apsis = bin_ / "apsis"
    apsis.write_text(f'#!/bin/sh\nshift\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m apsis.cli.check_job "$@"\n')
    apsis.chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run([script, tmp_path], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "unknown_name" in done.stdout) == (1, True)
