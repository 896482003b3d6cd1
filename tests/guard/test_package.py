"""What is in the packages that people install."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and sdist as pip would."""
    into = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(into)], cwd=ROOT, check=True, capture_output=True
    )
    return into


def test_the_wheel_has_the_dashboard_the_sql_and_the_command(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert any(name.startswith("apsis/api/static/assets/") and name.endswith(".js") for name in names)
        assert {"apsis/api/static/index.html", "apsis/store/migrations/0001.sql", "apsis/store/sql/runs.sql"} <= {
            *names
        }
        assert not [name for name in names if name.startswith(("tests/", "web/")) or "node_modules" in name]
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert b"apsis = apsis.cli.main:main" in archive.read(entry_points)


def test_the_source_distribution_can_build_the_dashboard_and_carries_nothing_built(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"hatch_build.py", "web/package-lock.json", "web/.npmrc", "web/src/main.ts", "LICENSE"} <= names
    assert not [name for name in names if "node_modules" in name or name.startswith(("apsis/api/static/", ".venv"))]
