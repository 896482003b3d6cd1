"""One commit of a job repository, or one content hash of a plain directory."""

from dataclasses import dataclass

from whenever import Instant


@dataclass(frozen=True, slots=True)
class Revision:
    """Who changed the jobs, when and why; `id` is the full commit hash or `dir-` and 12 hex digits."""

    id: str
    author: str | None
    time: Instant
    message: str
