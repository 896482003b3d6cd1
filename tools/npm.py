"""Run npm in web/ with the Node that comes as a Python package: `python tools/npm.py run test`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import hatch_build  # noqa: E402 - it lies beside pyproject.toml, not in a package

if __name__ == "__main__":
    argv, env = hatch_build.npm_command(*sys.argv[1:])
    sys.exit(subprocess.run(argv, cwd=ROOT / "web", env=env, check=False).returncode)
