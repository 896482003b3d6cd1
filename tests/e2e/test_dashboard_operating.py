"""What an operator sees in the dashboard: attempts, what is waited for, what is late, and a server that is held."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_dashboard import AXE, run_job, violations
from tests.support.server import JobRepo, ServerProcess, eventually, serving

JOBS = {
    "apsis.yaml": "pools: {db: 1}\n",
    "etl/flaky.yaml": (
        "params: [dir]\n"
        "program: {type: shell, command: 'echo x >> {{ dir }}/tries; echo try $(wc -l < {{ dir }}/tries); false'}\n"
        "retry: {count: 2, delay: 1h}\n"
    ),
    "etl/hold.yaml": (
        "params: [n]\npool: db\n"
        "program: {type: shell, command: 'echo in; exec sleep 600', stop: {grace_period: 1}}\n"
        "deadlines: {longer_than: 0.2s}\n"
    ),
    "ticks.yaml": "schedule: {type: interval, interval: 1}\nprogram: {type: no-op}\n",
}


@pytest.fixture
def jobs(repo: JobRepo, server: ServerProcess) -> ServerProcess:
    repo.push({**JOBS}, "Jobs")
    eventually(lambda: len(server.get("/jobs")["jobs"]) == len(JOBS) - 1, "the jobs")
    return server


@pytest.fixture
def held(repo: JobRepo, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that starts held, over a past in which a job ran every second."""
    repo.push({"ticks.yaml": JOBS["ticks.yaml"]}, "Jobs")
    options = ("--repo", repo.url, "--branch", "main", "--poll", "0.2s")
    with serving(tmp_path, *options) as server:
        server.run_in("success", job_id="ticks")
        server.stop()
    with serving(tmp_path, *options, "--hold") as server:
        yield server


def test_a_run_shows_its_attempts_and_the_output_of_each(page: Page, jobs: ServerProcess, tmp_path: Path) -> None:
    run_id = jobs.post("/runs", {"job_id": "etl/flaky", "args": {"dir": str(tmp_path)}})["run_id"]
    eventually(lambda: jobs.get(f"/runs/{run_id}")["attempt"] == 2, "the second attempt")
    page.goto(f"{jobs.url}/runs?job_id=etl/flaky")
    row = page.locator(f'[data-run-id="{run_id}"]')
    expect(row.get_by_test_id("attempt")).to_have_text("attempt 2 of 3")
    expect(row).to_contain_text(re.compile(r"again in (1 h|59 min)"))

    # Between attempts the newest output is the last attempt's.
    page.goto(f"{jobs.url}/runs/{run_id}")
    expect(page.get_by_test_id("attempt")).to_have_text("2 of 3")
    expect(page.get_by_test_id("run-message")).to_contain_text("exit code 1; attempt 2 of 3 in 1h")
    output = page.get_by_test_id("output")
    expect(output).to_contain_text("try 1")
    expect(page.get_by_test_id("attempt-picker")).to_have_value("1")

    # The next one, live, then another by choice; it stands in the address.
    page.get_by_test_id("op-start").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("attempt")).to_have_text("3 of 3")
    expect(output).to_contain_text("try 2")
    jobs.post(f"/runs/{run_id}/start")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "failure")
    expect(output).to_contain_text("try 3")
    page.get_by_test_id("attempt-picker").select_option("1")
    expect(output).to_contain_text("try 1")
    expect(page).to_have_url(f"{jobs.url}/runs/{run_id}?attempt=1")
    page.reload()
    expect(output).to_contain_text("try 1")
    page.get_by_test_id("attempt-picker").select_option("3")
    expect(output).to_contain_text("try 3")


def test_a_waiting_run_leads_to_the_one_in_its_way_and_a_late_one_is_marked(page: Page, jobs: ServerProcess) -> None:
    first, second = run_job(jobs, "etl/hold", "running", n="1"), run_job(jobs, "etl/hold", "waiting", n="2")
    page.goto(f"{jobs.url}/runs/{second}?tab=conditions")
    expect(page.get_by_test_id("waiting-for")).to_have_text(
        "Waits: 1 slot of pool db: pool db has 0 of 1 free, 1 needed"
    )
    other = page.get_by_test_id("other-run")
    expect(other).to_have_attribute("data-run-id", first)
    other.click()
    expect(page).to_have_url(f"{jobs.url}/runs/{first}")
    expect(page.get_by_test_id("late")).to_have_text("Late: running longer than it should")

    page.goto(f"{jobs.url}/runs?job_id=etl/hold")
    late = page.locator(f'[data-run-id="{first}"]').get_by_test_id("late")
    expect(late).to_have_attribute("title", "Late: running longer than it should")

    page.goto(f"{jobs.url}/jobs")
    pool = page.get_by_test_id("pool")
    expect(pool).to_contain_text("1 of 1 taken, 1 waiting")
    pool.click()
    expect(other).to_have_attribute("data-run-id", first)
    jobs.post(f"/runs/{first}/stop")
    expect(pool).to_contain_text("1 of 1 taken")
    expect(other).to_have_attribute("data-run-id", second)


def test_a_held_server_says_so_on_every_page_until_it_is_released(page: Page, held: ServerProcess) -> None:
    page.goto(f"{held.url}/jobs")
    banner = page.get_by_test_id("held")
    expect(banner).to_contain_text("Held: asked for by --hold or the configuration")
    expect(banner).to_contain_text(re.compile(r"\d+ runs? of 1 job"))
    page.get_by_test_id("held-list").click()
    expect(page.get_by_test_id("owed")).to_have_attribute("data-job-id", "ticks")

    # It asks first, with the safe button focused.
    page.get_by_test_id("release").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert held.get("/healthz")["held"] is not None

    page.get_by_test_id("release").click()
    page.get_by_test_id("confirm").click()
    expect(banner).to_have_count(0)
    assert held.get("/healthz")["held"] is None
    page.goto(f"{held.url}/runs")
    expect(page.locator('[data-testid="run-row"][data-state="success"]').nth(2)).to_be_visible()
    expect(banner).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_of_it_is_accessible_and_fits_a_phone(
    browser: Browser, jobs: ServerProcess, tmp_path: Path, theme: str
) -> None:
    again = run_job(jobs, "etl/flaky", "scheduled", dir=str(tmp_path))
    holds, waits = run_job(jobs, "etl/hold", "running", n="1"), run_job(jobs, "etl/hold", "waiting", n="2")
    context = browser.new_context(color_scheme=theme, bypass_csp=True, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    # How a held server looks, without another one.
    owed = {"job_id": "etl/a-job-with-a-long-name", "runs": 1000, "more": True, "oldest": "2026-11-24T12:00:00.000Z"}
    answer = {"held": "restored", "jobs": 12, "runs": 12_000, "pending": [owed], "as_of": "0.0"}
    page.route("**/api/v1/catch-up", lambda route: route.fulfill(json=answer))
    try:
        for path, ready in {
            "/runs": "late",
            "/jobs": "pool",
            f"/runs/{again}": "attempt-picker",
            f"/runs/{holds}": "late",
            f"/runs/{waits}?tab=conditions": "other-run",
            "/jobs/etl/hold": "job",
        }.items():
            page.goto(f"{jobs.url}{path}")
            page.get_by_test_id("held-list").click()
            page.add_script_tag(path=AXE)
            for width, height in ((1440, 900), (390, 844)):
                page.set_viewport_size({"width": width, "height": height})
                expect(page.get_by_test_id(ready).first).to_be_visible()
                expect(page.get_by_test_id("owed")).to_be_visible()
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    finally:
        context.close()
