"""What became of a revision, and the last good one as it lies on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from whenever import Instant

from apsis.domain.finding import Finding
from apsis.domain.jobset import Difference
from apsis.domain.revision import Revision


@dataclass(frozen=True, slots=True)
class RevisionVerdict:
    """What became of a revision, as it is kept."""

    revision: Revision
    verdict: Literal["applied", "rejected"]
    at: Instant
    difference: Difference
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """The last good snapshot as it lies on disk: texts by path (`apsis.yaml` included), and each text's blob id."""

    revision: Revision
    texts: Mapping[str, str]
    blobs: Mapping[str, str]
