"""Habits that a script can see."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
REGISTRY = re.compile(r"https?://[\w.-]*(?:npm|pypi|pythonhosted|debian)[\w.-]*\.(?:org|com)")
LINK = re.compile(r"(?:\]\(|src=\"|srcset=\")(?!https?:)([^)#\"]+)")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_is_longer_than_one_noun_needs() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py", "*.ts", "*.vue", "*.sql", "*.css")
        if (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}


def test_no_file_names_a_package_registry() -> None:
    named = [p for p in tracked() if p.suffix != ".png" and REGISTRY.search(p.read_text(errors="replace"))]
    assert named == []


def test_nothing_built_is_committed() -> None:
    assert tracked("apsis/api/static", "web/node_modules", "*.pyc") == []


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link.strip()).exists()]
    assert missing == []


def test_every_doc_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in tracked("docs/*.md") if f"docs/{page.name}" not in readme] == []
