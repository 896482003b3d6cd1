"""From a push to a line of output in a browser, through a broken commit and a killed server."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.server import JobRepo, ServerProcess, eventually

STEPS = """\
for i in 1 2 3; do
  echo "line $i"
  while [ ! -e {gates}/$i ]; do sleep 0.05; done
done
echo "the end"
"""


def stepping_job(gates: Path, interval: str = "2s") -> str:
    """A job that prints its next line when the test opens the next gate."""
    gates.mkdir(exist_ok=True)
    command = STEPS.format(gates=gates).replace("\n", "\n    ").rstrip()
    return f"""\
schedule:
  type: interval
  interval: {interval}
program:
  type: shell
  command: |
    {command}
metadata:
  description: Prints a line at each gate.
"""


def test_a_push_runs_in_the_browser_survives_a_broken_commit_and_a_killed_server(
    page: Page, repo: JobRepo, server: ServerProcess, tmp_path: Path
) -> None:
    gates = tmp_path / "gates"
    page.goto(f"{server.url}/")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")

    # A pushed job appears without a reload, and runs when it is due.
    good = repo.push({"demo/steps.yaml": stepping_job(gates)}, "Add a job")
    row = page.locator('[data-testid="run-row"][data-job-id="demo/steps"]')
    expect(row.first).to_be_visible()
    running = page.locator('[data-testid="run-row"][data-job-id="demo/steps"][data-state="running"]')
    expect(running.first).to_be_visible()
    run_id = running.first.get_attribute("data-run-id")
    assert run_id is not None

    # Its output comes line by line.
    page.goto(f"{server.url}/runs/{run_id}")
    output = page.get_by_test_id("output")
    expect(output).to_contain_text("line 1")
    expect(output).not_to_contain_text("line 2")
    (gates / "1").touch()
    expect(output).to_contain_text("line 2")
    expect(output).not_to_contain_text("line 3")

    # A broken commit changes nothing but the page that tells of it.
    bad = repo.push({"demo/steps.yaml": stepping_job(gates).replace("program:", "progam:")}, "Oops")
    page.goto(f"{server.url}/commits")
    expect(page.get_by_test_id("repo-status")).to_have_attribute("data-status", "rejected")
    finding = page.locator('[data-testid="finding"][data-path="demo/steps.yaml"][data-line="4"]')
    expect(finding.first).to_contain_text("progam")
    (state,) = server.get("/repo")["repos"]
    assert (state["applied"]["revision"], state["newest"]["revision"]) == (good, bad)
    assert eventually(lambda: server.runs(job_id="demo/steps", state="scheduled,running"), "coming runs")

    # Mended, it is live again. From now on runs are far apart, so that one can be watched through the crash.
    fixed = repo.push({"demo/steps.yaml": stepping_job(gates, "1h")}, "Mend it")
    expect(page.get_by_test_id("repo-status")).to_have_attribute("data-status", "synced")
    assert server.get("/repo")["repos"][0]["applied"]["revision"] == fixed

    # A killed server loses nothing: the run is found again, and ends with its whole output.
    page.goto(f"{server.url}/runs/{run_id}")
    expect(output).to_contain_text("line 2")
    server.kill()
    expect(page.get_by_test_id("connection")).not_to_have_attribute("data-state", "live")
    (gates / "2").touch()
    server.start()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    expect(output).to_contain_text("line 3")
    (gates / "3").touch()
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "success")
    expect(output).to_contain_text("the end")
    assert server.output(run_id) == b"line 1\nline 2\nline 3\nthe end\n"
    log = server.get(f"/runs/{run_id}/log")["log"]
    assert [entry["state"] for entry in log].count("starting") == 1
    assert server.get(f"/runs/{run_id}")["revision"] == good
