"""Take the README's pictures: the dashboard on the example jobs, in light and in dark."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import JobRepo, ServerProcess, eventually, serving  # noqa: E402 - found by the line above

IMAGES = ROOT / "docs/images"
SIZE = {"width": 1280, "height": 760}
FINISHED = 12
"""Runs that should have ended before the picture is taken, so that it shows something of everything."""


def main() -> None:
    """Serve the examples, let some runs pass, and take pictures."""
    files = {p.relative_to(ROOT / "jobs-example"): p for p in (ROOT / "jobs-example").rglob("*") if p.is_file()}
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        repo = JobRepo(Path(directory) / "git")
        repo.push({str(name): path.read_text() for name, path in files.items()}, "Jobs to begin with")
        with serving(Path(directory), "--repo", repo.url, "--branch", "main", "--poll", "1s") as server:
            eventually(lambda: server.runs(state="scheduled"), "the jobs")
            for name in ("Ada", "Grace", "Edsger"):
                server.post("/runs", {"job_id": "examples/greet", "args": {"name": name, "greeting": "hello"}})
            eventually(lambda: _worth_a_picture(server), "something to see", 300)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport=SIZE, color_scheme=scheme)
                _take(page, server, "" if scheme == "light" else "-dark")
            browser.close()


def _worth_a_picture(server: ServerProcess) -> bool:
    running = server.runs(state="running", job_id="ticker")
    finished = server.runs(state="success,failure")
    return bool(running) and len(finished) >= FINISHED and any(run["state"] == "failure" for run in finished)


def _take(page: Page, server: ServerProcess, suffix: str) -> None:
    page.goto(server.url)
    page.locator('[data-testid="run-row"][data-state="success"]').first.wait_for()
    page.screenshot(path=IMAGES / f"runs{suffix}.png")
    (run,) = server.runs(state="running", job_id="ticker")[:1]
    page.goto(f"{server.url}/runs/{run['run_id']}")
    page.get_by_test_id("output-line").nth(8).wait_for()
    page.screenshot(path=IMAGES / f"run{suffix}.png")


if __name__ == "__main__":
    main()
