"""What people do in the dashboard, with the mouse, with keys, and against it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.server import JobRepo, ServerProcess, eventually

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"

EVIL = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"

ODD = "odd names/a#b?c%20d&é"

JOBS = {
    "etl/echo.yaml": (
        "params: [word]\nprogram: {type: shell, command: 'echo said {{ word }}'}\nmetadata: {labels: [demo]}\n"
    ),
    "etl/lines.yaml": "program: {type: shell, command: 'seq -f \"row %.0f\" 10000'}\n",
    "etl/forever.yaml": "program: {type: shell, command: 'echo begun; exec sleep 600', stop: {grace_period: 1}}\n",
    "ops/fails.yaml": "program: {type: shell, command: 'echo sorry; exit 3'}\n",
    "ops/nightly.yaml": (
        "params: [date]\nschedule: {type: daily, tz: UTC, daytime: '03:00'}\nprogram: {type: no-op}\n"
        "metadata: {description: 'Runs at **night**.'}\n"
    ),
    f"{ODD}.yaml": f"""\
params: [x]
program:
  type: process
  argv: [printf, "%s", "{{{{ x }}}}\\e]8;;javascript:window.pwned=1\\alink\\e]8;;\\a"]
metadata:
  description: "{EVIL} [link](javascript:window.pwned=1)"
  labels: ["{EVIL}"]
  "{EVIL}": "{EVIL}"
""",
}


@pytest.fixture
def jobs(repo: JobRepo, server: ServerProcess) -> ServerProcess:
    """The server, with its jobs applied."""
    repo.push({**JOBS}, f"Add {EVIL}")
    eventually(lambda: len(server.get("/jobs")["jobs"]) == len(JOBS), "the jobs")
    return server


def run_job(server: ServerProcess, job_id: str, state: str, **args: str) -> str:
    """Run a job, and return the run's id once it is in the state."""
    run_id: str = server.post("/runs", {"job_id": job_id, "args": args})["run_id"]
    eventually(lambda: server.get(f"/runs/{run_id}")["state"] == state, f"{job_id} in {state}")
    return run_id


def test_a_job_is_run_from_its_page(page: Page, jobs: ServerProcess) -> None:
    page.goto(f"{jobs.url}/jobs/etl/echo")
    page.get_by_test_id("run-now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Run etl/echo now?")

    # Nothing is sent while a param is missing.
    page.get_by_test_id("confirm").click()
    expect(dialog).to_be_visible()
    assert jobs.runs(job_id="etl/echo") == []

    page.get_by_test_id("arg-word").fill("hello there")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name=re.compile("Open the run")).click()
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "success")
    expect(page.get_by_test_id("output")).to_contain_text("said hello there")
    (run,) = jobs.runs(job_id="etl/echo")
    assert (run["args"], run["adhoc"]) == ({"word": "hello there"}, True)


def test_a_run_is_stopped_once_the_dialog_is_confirmed(page: Page, jobs: ServerProcess) -> None:
    run_id = run_job(jobs, "etl/forever", "running")
    page.goto(f"{jobs.url}/runs/{run_id}")
    page.get_by_test_id("op-stop").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("etl/forever")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()

    # Keys of the page behind do nothing while it asks; escape takes it back.
    for key in ("?", "g", "j"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url == f"{jobs.url}/runs/{run_id}"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert jobs.get(f"/runs/{run_id}")["state"] == "running"

    page.get_by_test_id("op-stop").click()
    page.get_by_test_id("reason").fill("enough")
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "failure")
    expect(page.get_by_test_id("op-stop")).to_have_count(0)
    assert "enough" in "".join(entry["message"] for entry in jobs.get(f"/runs/{run_id}/log")["log"])


def test_jobs_are_found_in_the_tree_and_its_search_is_in_the_address(page: Page, jobs: ServerProcess) -> None:
    page.goto(f"{jobs.url}/jobs")
    rows = page.get_by_test_id("job-row")
    expect(rows).to_have_count(len(JOBS))
    page.keyboard.press("/")
    expect(page.get_by_test_id("job-search")).to_be_focused()
    page.keyboard.type("fai")
    expect(rows).to_have_count(1)
    expect(rows).to_have_attribute("data-job-id", "ops/fails")
    expect(page.get_by_test_id("job-count")).to_have_text(f"1 of {len(JOBS)} jobs")
    expect(page).to_have_url(f"{jobs.url}/jobs?q=fai")
    page.reload()
    expect(rows).to_have_count(1)

    page.get_by_test_id("job-search").fill("demo")  # a label
    expect(rows).to_have_attribute("data-job-id", "etl/echo")
    page.get_by_test_id("job-search").fill("nothing like this")
    page.get_by_role("button", name="Show all jobs").click()
    expect(rows).to_have_count(len(JOBS))

    folder = page.get_by_test_id("folder-row").filter(has_text="etl").get_by_role("button")
    folder.click()
    expect(folder).to_have_attribute("aria-expanded", "false")
    expect(rows).to_have_count(len(JOBS) - 3)


def test_filters_of_runs_are_in_the_address_and_survive_a_reload_and_back(page: Page, jobs: ServerProcess) -> None:
    run_job(jobs, "ops/fails", "failure")
    run_job(jobs, "etl/echo", "success", word="a")
    page.goto(f"{jobs.url}/runs")
    failed = page.locator('[data-testid="run-row"][data-job-id="ops/fails"]')
    echoed = page.locator('[data-testid="run-row"][data-job-id="etl/echo"]')
    expect(failed).to_have_count(1)
    expect(echoed).to_have_count(1)

    page.locator('[data-filter-state="failure"]').click()
    expect(echoed).to_have_count(0)
    expect(page).to_have_url(f"{jobs.url}/runs?state=failure")
    page.get_by_test_id("filter-job").fill("ops/fails")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("job_id=ops"))
    page.reload()
    expect(failed).to_have_count(1)
    expect(echoed).to_have_count(0)
    expect(page.locator('[data-filter-state="failure"]')).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("filter-job")).to_have_value("ops/fails")

    page.go_back()
    expect(page).to_have_url(f"{jobs.url}/runs?state=failure")
    page.go_back()
    expect(echoed).to_have_count(1)


def test_markup_from_jobs_args_and_programs_stays_text(page: Page, jobs: ServerProcess) -> None:
    run_id = run_job(jobs, ODD, "success", x=EVIL)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{jobs.url}/runs")
    row = page.locator(f'[data-run-id="{run_id}"]')
    expect(row).to_contain_text(EVIL)

    # The job's name has everything that means something in an address.
    row.get_by_role("link", name=ODD).click()
    job = page.get_by_test_id("job")
    expect(job).to_have_attribute("data-job-id", ODD)
    expect(job).to_contain_text(EVIL)
    page.reload()
    expect(job).to_have_attribute("data-job-id", ODD)
    expect(job).to_contain_text("link")

    for tab in ("output", "log", "definition", "json"):
        page.goto(f"{jobs.url}/runs/{run_id}?tab={tab}")
        expect(page.get_by_test_id("run")).to_be_visible()
        if tab == "output":
            expect(page.get_by_test_id("output-line")).to_contain_text(f"{EVIL}link")
    page.goto(f"{jobs.url}/commits")
    expect(page.get_by_text(f"Add {EVIL}").first).to_be_visible()

    expect(page.locator('img, a[href^="javascript"]')).to_have_count(0)
    assert page.evaluate("window.pwned") is None
    assert [url for url in asked if not url.startswith(jobs.url)] == []


def test_pages_are_used_by_keyboard_alone(page: Page, jobs: ServerProcess) -> None:
    newest = run_job(jobs, "ops/fails", "failure")
    page.goto(f"{jobs.url}/runs?job_id=ops/fails")
    expect(page.locator(f'[data-run-id="{newest}"]')).to_be_visible()

    # The first stop of the tab key leads past the bar.
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.keyboard.press("j")
    expect(page.locator(".selected")).to_have_attribute("data-run-id", newest)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{jobs.url}/runs/{newest}")

    page.keyboard.press("?")
    help_dialog = page.get_by_role("dialog")
    expect(help_dialog).to_contain_text("Keys")
    page.keyboard.press("Escape")
    expect(help_dialog).to_be_hidden()

    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page).to_have_url(f"{jobs.url}/jobs")
    expect(page.get_by_test_id("job-row")).to_have_count(len(JOBS))
    for _ in range(2):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("job")).to_have_attribute("data-job-id", "etl/echo")

    # The dialog takes the focus, keeps it, and gives it back.
    opener = page.get_by_test_id("run-now")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("arg-word")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Tab")
        expect(page.get_by_role("dialog").locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_line_of_output_has_an_address(page: Page, jobs: ServerProcess) -> None:
    run_id = run_job(jobs, "etl/lines", "success")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{jobs.url}/runs/{run_id}#L5000")
    marked = page.locator('.marked[data-testid="output-line"]')
    expect(marked).to_contain_text("row 5000")
    expect(marked).to_be_in_viewport()
    page.get_by_role("link", name="Line 5001").click()
    expect(page).to_have_url(f"{jobs.url}/runs/{run_id}#L5001")
    expect(marked).to_contain_text("row 5001")
    assert complaints == []


def test_two_tabs_share_one_stream_and_both_are_live(browser: Browser, jobs: ServerProcess) -> None:
    context = browser.new_context()
    try:
        first, second = context.new_page(), context.new_page()
        streams: list[str] = []
        context.on("request", lambda request: streams.append(request.url) if "/api/v1/events" in request.url else None)
        for tab in (first, second):
            tab.goto(f"{jobs.url}/runs")
            expect(tab.get_by_test_id("connection")).to_have_attribute("data-state", "live")
        run_id = run_job(jobs, "ops/fails", "failure")
        for tab in (first, second):
            expect(tab.locator(f'[data-run-id="{run_id}"]')).to_have_attribute("data-state", "failure")
        assert streams == []  # the worker's requests are no page's; without the worker there would be two

        # The stream outlives the tab that was first.
        first.close()
        run_id = run_job(jobs, "etl/echo", "success", word="again")
        expect(second.locator(f'[data-run-id="{run_id}"]')).to_have_attribute("data-state", "success")
    finally:
        context.close()


def test_an_unknown_job_and_run_and_page_say_so(page: Page, jobs: ServerProcess) -> None:
    page.goto(f"{jobs.url}/jobs/etl/ehco")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no job etl/ehco.")
    expect(page.get_by_text("Did you mean etl/echo?")).to_be_visible()
    page.goto(f"{jobs.url}/runs/rnothing")
    expect(page.get_by_role("heading", level=1)).to_contain_text("There is no run")
    page.goto(f"{jobs.url}/nothing/here")
    expect(page.get_by_role("heading", level=1)).to_contain_text("no page")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(browser: Browser, jobs: ServerProcess, theme: str) -> None:
    failed = run_job(jobs, "ops/fails", "failure")
    odd = run_job(jobs, ODD, "success", x=EVIL)
    # The policy of the pages lets no script in but their own; axe has to be.
    context = browser.new_context(color_scheme=theme, bypass_csp=True, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    try:
        for path, ready in {
            "/runs": '[data-testid="run-row"]',
            "/jobs": '[data-testid="job-row"]',
            "/jobs/ops/nightly": '[data-testid="job"]',
            "/jobs/nothing": "h1",
            "/commits": '[data-testid="repo-status"]',
            f"/runs/{failed}": '[data-testid="output-line"]',
            f"/runs/{failed}?tab=log": '[data-testid="run"]',
            f"/runs/{odd}?tab=definition": '[data-testid="run"]',
            f"/runs/{odd}?tab=json": '[data-testid="run"]',
            "/nothing": "h1",
        }.items():
            page.set_viewport_size({"width": 1440, "height": 900})
            page.goto(f"{jobs.url}{path}")
            expect(page.locator(ready).first).to_be_visible()
            page.add_script_tag(path=AXE)
            assert violations(page) == [], path
            page.set_viewport_size({"width": 390, "height": 844})
            expect(page.locator(ready).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert violations(page) == [], path

        page.goto(f"{jobs.url}/jobs/etl/echo")
        page.get_by_test_id("run-now").click()
        expect(page.get_by_test_id("arg-word")).to_be_focused()
        page.add_script_tag(path=AXE)
        assert violations(page) == []
    finally:
        context.close()


def violations(page: Page) -> list[object]:
    """Return what axe finds that is serious or worse."""
    found: list[object] = page.evaluate(
        """async () => {
            const { violations } = await axe.run()
            return violations
                .filter(({ impact }) => impact === 'serious' || impact === 'critical')
                .map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])
        }"""
    )
    return found
