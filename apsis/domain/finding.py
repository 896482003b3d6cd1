"""What a check has to say about a place in a job repository."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A message about a place; only errors reject a commit.

    `line` and `column` are 1-based, `source` is the line's text.
    """

    code: str
    severity: Severity
    path: str
    message: str
    line: int | None = None
    column: int | None = None
    help: str | None = None
    source: str | None = None


def rejects(findings: tuple[Finding, ...]) -> bool:
    """Return whether a revision with these findings must not be applied."""
    return any(finding.severity == "error" for finding in findings)
