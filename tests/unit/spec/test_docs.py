"""The pages about job files say what the code does: their examples are loaded, their tables compared."""

import re
from pathlib import Path

from apsis.lib.template_values import FILTERS
from apsis.repo.check import check
from apsis.spec import models
from apsis.spec.names import PROVIDED
from tests.unit.spec.files import load

ROOT = Path(__file__).parents[3]
PAGES = ("jobs", "schedules", "conditions", "actions", "policies")
JOBS = "\n".join((ROOT / f"docs/{page}.md").read_text(encoding="utf-8") for page in PAGES)
CHECK = (ROOT / "docs/check-job.md").read_text(encoding="utf-8")


def examples() -> dict[str, str]:
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", JOBS, re.MULTILINE | re.DOTALL)
    assert len(blocks) == JOBS.count("```yaml")
    return dict(blocks)


def test_the_examples_are_a_repository_without_mistakes() -> None:
    loaded = load(examples())
    assert check(loaded) == ()
    assert len(loaded.jobs.jobs) >= 5


def test_every_key_is_explained() -> None:
    files = (models.JobFile, models.Settings)
    keys = {key for model in (*models.TYPES.values(), *models.PARTS.values(), *files) for key in models.keys_of(model)}
    assert {key for key in keys if f"`{key}`" not in JOBS} == set()


def test_every_type_name_and_filter_is_named() -> None:
    assert {name for name in models.TYPES if f"`{name}`" not in JOBS} == set()
    assert {name for name in PROVIDED if not re.search(rf"`{name}[`(]", JOBS)} == set()
    listed = re.search(r"filters are\n`([^`]+)`", JOBS)
    assert listed is not None
    assert listed[1].split() == sorted(FILTERS)


def test_the_table_of_codes_is_complete() -> None:
    calls = r"""(?:Complaint|refuse|Finding|\.at|_refuse)\(\s*f?"(\w+)(?:_\{how\})?","""
    sources = [*(ROOT / "apsis/spec").rglob("*.py"), *(ROOT / "apsis/repo/rules").glob("*.py")]
    used = {code for path in sources for code in re.findall(calls, path.read_text(encoding="utf-8"))}
    used = (used - {"dst"}) | {"dst_skipped", "dst_repeated"}
    told = {code for row in re.findall(r"^\| (`[^|]+) \|", CHECK, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}
    assert used == told
