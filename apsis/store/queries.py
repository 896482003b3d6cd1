"""The store's SQL, read from `sql/*.sql`, where each statement stands behind a line `-- name: …`."""

import re
from importlib import resources
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def _read() -> dict[str, str]:
    queries: dict[str, str] = {}
    for file in sorted((resources.files("apsis.store") / "sql").iterdir(), key=lambda f: f.name):
        _, *pairs = _NAME.split(file.read_text())
        queries.update(zip(pairs[::2], (sql.strip() for sql in pairs[1::2]), strict=True))
    return queries


SQL: Final = _read()
"""Statements by name."""
