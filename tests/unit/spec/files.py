"""A job repository in a dict, for tests."""

from collections.abc import Mapping, Sequence

from whenever import Instant

from apsis.domain.finding import Finding
from apsis.domain.job import Job
from apsis.domain.revision import Revision
from apsis.spec.blob import blob_id
from apsis.spec.load import Loaded, Loader

NOON = Instant.parse_iso("2026-11-24T12:00:00Z")
REVISION = Revision("1" * 40, "Ada", NOON, "a change")
NO_OP = "program: {type: no-op}\n"


class Files:
    """Files that can be loaded; counts what was read."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.tree = {path: blob_id(content) for path, content in data.items()}
        self.content = {blob_id(content): content for content in data.values()}
        self.asked: list[str] = []

    def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        self.asked += blobs
        return {blob: self.content[blob] for blob in blobs}


def load(files: Mapping[str, str | bytes], repo: str = "", loader: Loader | None = None) -> Loaded:
    made = Files(files)
    return (loader or Loader(repo)).load(REVISION, made.tree, made.read)


def job_of(text: str, others: Mapping[str, str | bytes] | None = None, repo: str = "") -> Job:
    loaded = load({"job.yaml": text, **(others or {})}, repo)
    assert not loaded.findings, loaded.findings
    return loaded.jobs.jobs[f"{repo}/job" if repo else "job"]


def findings_of(text: str | bytes) -> tuple[Finding, ...]:
    return load({"job.yaml": text}).findings


def said(finding: Finding) -> str:
    return f"{finding.line}:{finding.column} {finding.code}: {finding.message}"
