"""Bugs put in on purpose: the worlds must find each of them, or they prove nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MUTANTS = sorted((Path(__file__).parent / "mutants").glob("*.patch"))
MOST_STEPS = 60_000
"""A thousand worlds: the shyest of them is found within some hundred."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("patch", MUTANTS, ids=lambda patch: patch.stem)
def test_worlds_find(patch: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "apsis", tmp_path / "apsis", ignore=shutil.ignore_patterns("static", "__pycache__"))
    applied = subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=False, capture_output=True, text=True)
    if applied.returncode:
        pytest.fail(f"{patch.name} does not apply any more: put the same bug into apsis/ anew\n{applied.stderr}")
    played = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.sim", "--brief", "--steps", str(MOST_STEPS)],
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert played.returncode == 1, f"{patch.stem} lives: {played.stdout}{played.stderr}"
    assert re.search(r"^seed \d+: ", played.stdout, re.MULTILINE), played.stdout + played.stderr
