"""Commands against a real server: what they print, and how they exit."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apsis.cli.main import COMMANDS
from tests.cli.conftest import run_apsis
from tests.support.server import eventually, free_port

DOC = Path(__file__).parents[2] / "docs" / "cli.md"

COMMON = {"--help", "--server", "--tz", "--format"}


def test_help_lists_every_command_in_groups(apsis):
    said = apsis("--help")
    assert said.code == 0
    for word in ("Server and job repository:", "Jobs:", "Runs:", "serve", "check-job", "output", "version"):
        assert word in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(apsis, command):
    section = DOC.read_text().partition(f"\n## apsis {command}\n")[2].partition("\n## ")[0]
    assert section, f"docs/cli.md has no section on apsis {command}"
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", apsis(command, "--help").out, re.MULTILINE)) - COMMON
    assert options <= set(re.findall(r"--[a-z-]+", section))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(apsis, command):
    said = apsis(command, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"Usage: apsis {command} [OPTIONS]" in said.out


def test_a_slip_of_a_command_is_a_usage_error_with_a_suggestion(apsis):
    said = apsis("rn")
    assert said.code == 2
    assert "Did you mean 'run'" in said.err
    assert apsis("runs", "--nope").code == 2
    assert apsis("show").code == 2


def test_version_is_said_with_and_without_a_server(apsis):
    assert apsis("version", "--format", "json").out == '{"apsis": "0.1.0", "server": "0.1.0"}\n'
    assert apsis("version", APSIS_SERVER="").out == "apsis 0.1.0\n"
    assert apsis("--version").out == "apsis 0.1.0\n"


def test_jobs_are_listed_and_shown(apsis):
    said = apsis("jobs")
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["JOB", "PARAMS", "NEXT", "RUN", "(UTC)", "PROGRAM", "SCHEDULE"]
    (line,) = [line for line in said.out.splitlines() if line.startswith("nightly")]
    assert "03:00:00" in line
    assert "no-op" in line
    assert [job["job_id"] for job in json.loads(apsis("jobs", "slow/", "--format", "json").out)["jobs"]] == [
        "slow/forever",
        "slow/gates",
    ]
    shown = apsis("job", "nightly").out
    assert "Runs at night." in shown
    assert "daily at 03:00 UTC" in shown
    assert apsis("job", "nightly", "--source").out.startswith("params: [date]\n")


def test_a_job_that_is_not_there_gets_near_misses(apsis):
    said = apsis("job", "nihgtly")
    assert (said.code, said.out) == (4, "")
    assert "no job 'nihgtly'" in said.err
    assert "Did you mean nightly?" in said.err


def test_run_prints_the_id_and_nothing_else(apsis, live):
    said = apsis("run", "echo", "word=hello", "--label", "by hand")
    assert (said.code, said.err) == (0, "")
    run = eventually(lambda: (r := live.get(f"/runs/{said.out.strip()}"))["state"] == "success" and r)
    assert (run["args"], run["label"]) == ({"word": "hello"}, "by hand")


def test_run_waits_and_exits_by_the_final_state(apsis):
    good, bad = apsis("run", "noop", "--wait"), apsis("run", "fails", "--wait")
    assert (good.code, bad.code) == (0, 1)
    assert good.err == f"{good.out.strip()} success: done\n"
    assert bad.err == f"{bad.out.strip()} failure: exit code 3\n"


def test_run_prints_output_unaltered_on_stdout_alone(apsis):
    said = apsis("run", "bytes", "--output")
    assert (said.code, said.raw) == (0, b"\x00\xff\r\n\x1b[31m")
    assert "success" in said.err


def test_run_stops_waiting_after_its_timeout_and_the_run_goes_on(apsis, live):
    said = apsis("run", "slow/forever", "--wait", "--timeout", "0.5s")
    assert said.code == 124
    assert "goes on" in said.err
    assert live.get(f"/runs/{said.out.strip()}")["state"] == "running"
    assert apsis("stop", said.out.strip()).code == 0


def test_run_takes_a_time_in_the_users_zone(apsis, live):
    run_id = apsis("run", "noop", "--at", "2099-01-02 09:30", "--tz", "America/New_York").out.strip()
    assert live.get(f"/runs/{run_id}")["schedule_time"] == "2099-01-02T14:30:00.000Z"
    assert "2099-01-02 09:30:00" in apsis("show", run_id, "--tz", "America/New_York").out
    said = apsis("skip", run_id[:10], "--reason", "not needed")
    assert (said.code, said.out) == (0, f"{run_id} skipped\n")
    assert "asked to skip: not needed" in apsis("log", run_id).out


def test_wrong_times_and_args_and_zones_are_usage_errors_that_say_what_to_do(apsis):
    for words, told in {
        ("run", "noop", "--at", "soon"): "'soon' is no time",
        ("run", "echo", "hello"): "'hello' is no NAME=VALUE",
        ("run", "echo", "word=a", "word=b"): "given twice",
        ("run", "echo"): "missing word",
        ("run", "noop", "--timeout", "long", "--wait"): "--timeout",
        ("run", "noop", "--timeout", "1s"): "--wait",
        ("run", "echo", b"word=\xff"): "'word' is not UTF-8",
        ("runs", "--tz", "Europe/Zurihc"): "Did you mean Europe/Zurich",
        ("runs", "--state", "done"): "no state 'done'",
        ("show", "r"): "several runs",
    }.items():
        said = apsis(*words)
        assert (said.code, said.out) == (2, ""), words
        assert told in said.err


def test_a_run_is_shown_by_the_beginning_of_its_id(apsis):
    run_id = apsis("run", "fails", "--wait").out.strip()
    shown = apsis("show", run_id[:9])
    assert shown.code == 0
    for word in (run_id, "fails", "failure", "exit code 3", "6 bytes", "rerun, mark"):
        assert word in shown.out.replace("mark, rerun", "rerun, mark")
    assert json.loads(apsis("show", run_id[:9], "--format", "json").out)["meta"]["exit_code"] == 3
    log = apsis("log", run_id[:9]).out
    assert log.splitlines()[0].split() == ["TIME", "(UTC)", "STATE", "WHO", "MESSAGE"]
    assert "exit code 3" in log.splitlines()[-1]


def test_a_run_that_is_not_there_is_not_found(apsis):
    for command in ("show", "log", "output", "stop"):
        for run_id in ("r11", "rzzzzzzzzzzzzzzzz"):
            said = apsis(command, run_id)
            assert (said.code, said.out) == (4, ""), command
            assert f"no run '{run_id}'" in said.err


def test_what_the_state_forbids_is_a_conflict(apsis):
    run_id = apsis("run", "noop", "--wait").out.strip()
    said = apsis("stop", run_id)
    assert (said.code, said.out) == (5, "")
    assert f"run {run_id} is success: it cannot be asked to stop" in said.err


def test_a_finished_run_is_marked_and_rerun(apsis):
    run_id = apsis("run", "fails", "--wait").out.strip()
    assert apsis("mark", run_id, "success", "--reason", "fine").out == f"{run_id} success\n"
    assert apsis("mark", run_id, "running").code == 2
    new, _ = apsis("rerun", run_id).out.split()
    assert new != run_id
    assert json.loads(apsis("show", new, "--format", "json").out)["rerun_of"] == run_id


def test_runs_are_filtered(apsis):
    apsis("run", "echo", "word=needle", "--wait")
    found = json.loads(apsis("runs", "--job", "echo", "--arg", "word=needle", "--format", "json").out)["runs"]
    assert [run["args"] for run in found] == [{"word": "needle"}]
    assert not json.loads(apsis("runs", "--arg", "word=haystack", "--format", "json").out)["runs"]
    states = json.loads(apsis("runs", "--state", "success,failure", "--format", "json").out)["runs"]
    assert {run["state"] for run in states} <= {"success", "failure"}
    said = apsis("runs", "--limit", "1", "--times")
    assert len(said.out.splitlines()) == 2
    assert "there are more" in said.err


def test_coming_runs_are_left_out_unless_asked_for(apsis):
    assert "nightly" not in apsis("runs").out
    assert "nightly" in apsis("runs", "--coming").out
    assert "nightly" in apsis("runs", "--state", "scheduled").out


def test_output_is_the_bytes(apsis):
    run_id = apsis("run", "bytes", "--wait").out.strip()
    assert apsis("output", run_id[:9]).raw == b"\x00\xff\r\n\x1b[31m"
    assert apsis("output", run_id, "--follow").raw == b"\x00\xff\r\n\x1b[31m"


def test_output_is_followed_to_the_end(apsis, live, tmp_path: Path):
    run_id = live.post("/runs", {"job_id": "slow/gates", "args": {"gates": str(tmp_path)}})["run_id"]
    argv = [sys.executable, "-m", "apsis", "output", run_id, "--follow", "--server", live.url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"line 1\n"
        for number in (1, 2, 3):
            (tmp_path / str(number)).touch()
        assert following.stdout.read() == b"line 2\nline 3\n" + b"y" * 100_000
        assert following.wait() == 0


def test_a_reader_that_leaves_is_no_traceback(apsis, live):
    run_id = apsis("run", "big", "--wait").out.strip()
    argv = [sys.executable, "-m", "apsis", "output", run_id, "--server", live.url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as printing:
        assert printing.stdout is not None
        assert printing.stderr is not None
        printing.stdout.read(1)
        printing.stdout.close()
        assert printing.stderr.read() == b""
        assert printing.wait() == 141


@pytest.mark.parametrize("words", [("jobs",), ("check-job", str(Path(__file__).parent))])
def test_a_full_disk_is_said_and_no_traceback(live, words):
    argv = [sys.executable, "-m", "apsis", *words]
    env = {**os.environ, "APSIS_SERVER": live.url}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, env=env, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (70, "apsis: the output cannot be written: No space left on device\n")


def test_a_terminal_without_the_letters_gets_escapes(apsis):
    run_id = apsis("run", "noop", "--label", "ümlaut").out.strip()
    said = apsis("show", run_id, PYTHONIOENCODING="ascii")
    assert said.code == 0
    assert "\\xfcmlaut" in said.out


def test_a_page_in_a_pipe_has_no_blanks_at_the_ends_of_lines(apsis):
    assert [line for line in apsis("job", "nightly").out.splitlines() if line != line.rstrip()] == []


def test_ctrl_c_says_that_the_run_goes_on(live):
    argv = [sys.executable, "-m", "apsis", "run", "slow/forever", "--output", "--server", live.url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stderr is not None
        assert waiting.stdout.readline() == "begun\n"
        waiting.send_signal(signal.SIGINT)
        said = waiting.stderr.read()
        assert waiting.wait() == 130
    run_id = said.split()[0]
    assert f"`apsis stop {run_id}` ends it" in said
    assert "Traceback" not in said
    live.post(f"/runs/{run_id}/stop")


def test_nobody_there_says_what_to_do():
    said = run_apsis("runs", server=f"http://127.0.0.1:{free_port()}")
    assert (said.code, said.out) == (3, "")
    assert "no server at http://127.0.0.1:" in said.err
    assert "apsis serve" in said.err


def test_sync_tells_what_became_of_the_repository(own_live, tmp_path: Path):
    assert run_apsis("sync", server=own_live.url).code == 0
    (tmp_path / "jobs" / "bad.yaml").write_text("progam: {type: no-op}\n")
    said = run_apsis("sync", server=own_live.url)
    assert said.code == 1
    assert "rejected" in said.out
    assert "bad.yaml:1:1: error: " in said.out
    assert (
        json.loads(run_apsis("sync", "--format", "json", server=own_live.url).out)["repos"][0]["status"] == "rejected"
    )


def test_the_users_name_is_in_the_log(apsis):
    run_id = apsis("run", "noop", "--at", "2099-01-01", LOGNAME="ada").out.strip()
    apsis("skip", run_id, LOGNAME="ada")
    log = json.loads(apsis("log", run_id, "--format", "json").out)["log"]
    assert log[-1]["who"] == "ada"


def test_there_are_no_colours_in_a_pipe_and_none_where_they_are_not_wanted(apsis, live):
    apsis("run", "noop", "--wait")
    assert "\x1b" not in apsis("runs").out
    assert "\x1b" in apsis("runs", FORCE_COLOR="1").out
    assert "\x1b[3" not in apsis("runs", FORCE_COLOR="1", NO_COLOR="1").out


def test_short_commands_import_neither_asyncio_nor_pydantic_nor_the_server(live):
    heavy = ("asyncio", "pydantic", "starlette", "uvicorn", "sqlite3", "jinja2", "yaml", "httpx_sse")
    code = (
        "import sys; from apsis.cli.main import app\n"
        "try: app(['runs'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    env = {**os.environ, "APSIS_SERVER": live.url}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stderr == "[]\n"
