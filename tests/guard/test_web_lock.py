"""The dashboard's lock file pins by integrity and names no registry, so that every mirror serves it."""

import json
import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"


def packages() -> dict[str, dict[str, object]]:
    lock = json.loads((WEB / "package-lock.json").read_text())
    return {path: entry for path, entry in lock["packages"].items() if path}


def test_the_lock_names_no_address_to_fetch_from() -> None:
    assert [path for path, entry in packages().items() if "resolved" in entry] == []


def test_every_locked_package_is_pinned_by_its_hash() -> None:
    assert [path for path, entry in packages().items() if "integrity" not in entry] == []


def test_the_project_itself_tells_npm_to_leave_addresses_out() -> None:
    assert "omit-lockfile-registry-resolved=true" in (WEB / ".npmrc").read_text().split()
    assert "registry=" not in (WEB / ".npmrc").read_text().replace("-registry-resolved=", "")


def test_npm_scripts_never_call_npm_or_npx() -> None:
    scripts = json.loads((WEB / "package.json").read_text())["scripts"]
    assert [name for name, line in scripts.items() if re.search(r"\b(npm|npx)\b", line)] == []


def test_the_lock_belongs_to_the_package_file() -> None:
    package = json.loads((WEB / "package.json").read_text())
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        assert locked[kind] == package[kind]
