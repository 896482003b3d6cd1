"""Loading a revision: from a tree of blob ids to jobs and findings; what did not change is not read again."""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any, Final

from apsis.domain.errors import BadRequest
from apsis.domain.finding import Finding
from apsis.domain.job import Job, Source
from apsis.domain.jobset import JobSet
from apsis.domain.revision import Revision
from apsis.spec import yaml as yaml_reader
from apsis.spec.bind import JobTemplate
from apsis.spec.blob import blob_id
from apsis.spec.complain import Place
from apsis.spec.fields import spelled, storable
from apsis.spec.instances import full_pool
from apsis.spec.job import make_job
from apsis.spec.judged import Judge, Judged
from apsis.spec.settings import FILE, Settings, read_settings
from apsis.spec.spelling import SPELLED
from apsis.spec.yaml import Document, Path, YamlError

SUFFIXES: Final = (".yaml", ".yml")
MANY: Final = 50
"""From so many files on, loading pauses the garbage collector: it would walk all that is kept, again and again."""

Read = Callable[[Sequence[str]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a revision says. `texts` has apsis.yaml and all job files.

    `ids` has the job id, without the repository's prefix, of each job file, those with errors included.
    """

    jobs: JobSet
    findings: tuple[Finding, ...]
    texts: Mapping[str, str]
    blobs: Mapping[str, str]
    ids: Mapping[str, str]
    settings: Settings
    entries: Mapping[str, "Entry"] = field(repr=False)

    def judged(self, path: str, judge: Judge) -> Judged:
        """Return what `judge` says of the job of a file; it is asked once, as long as file and settings stay."""
        entry = self.entries[path]
        assert entry.job is not None  # noqa: S101 - only jobs are judged
        if entry.judged is None:
            entry.judged = judge(entry.job)
        return entry.judged

    def place(self, path: str) -> Place:
        """Return what finds lines and columns in a file."""
        return Place(path, self.texts[path])


class Loader:
    """Loads the revisions of one repository; called from one thread at a time.

    It remembers the last load by path, blob id and settings, so a push that touches one file of ten thousand reads
    and parses one file. A file with errors costs its job only.
    """

    def __init__(self, repo: str) -> None:
        self._repo = repo
        self._entries: dict[str, Entry] = {}
        self._settings: tuple[str, bytes] = ("", b"")

    def load(self, revision: Revision, tree: Mapping[str, str], read: Read, judge: Judge | None = None) -> Loaded:
        """Load a revision: `tree` has the blob ids of all its paths, `read` gives blobs their bytes.

        With `judge` each job that is new is judged at once, while its models are at hand.
        """
        settings, settings_text, findings = self._load_settings(tree, read)
        ids, misplaced = _job_ids(tree, settings.roots)
        findings = [*findings, *misplaced]
        old, digest = self._entries, settings.digest
        fresh = [path for path in ids if path not in old or old[path].key != (tree[path], digest, ids[path])]
        data = read(list(dict.fromkeys(tree[path] for path in fresh))) if fresh else {}
        entries: dict[str, Entry] = {}
        with _collector_paused(len(fresh) >= MANY):
            made = {path: self._make(path, tree[path], ids[path], data[tree[path]], settings, judge) for path in fresh}
            for path in ids:
                entries[path] = made[path] if path in made else old[path]
            jobs = self._jobs(entries.values(), revision)
        self._entries = entries
        return Loaded(
            JobSet(self._repo, revision, jobs, pools=self._pools(settings)),
            (*findings, *(finding for entry in entries.values() for finding in entry.findings)),
            {**settings_text, **{path: entry.text for path, entry in entries.items()}},
            {path: tree[path] for path in (*settings_text, *entries)},
            ids,
            settings,
            entries,
        )

    def _load_settings(self, tree: Mapping[str, str], read: Read) -> tuple[Settings, dict[str, str], list[Finding]]:
        blob = tree.get(FILE)
        if blob is None:
            return Settings(), {}, []
        if blob != self._settings[0]:
            self._settings = (blob, read([blob])[blob])
        data = self._settings[1]
        try:
            text = yaml_reader.decode(data)
        except YamlError as error:
            text = data.decode(errors="replace")
            return Settings(), {FILE: text}, [Place(FILE, text).at("yaml", error.message, error.mark, error.help)]
        settings, findings = read_settings(text, tree)
        return settings, {FILE: text}, findings

    def _make(
        self, path: str, blob: str, written_id: str, data: bytes, settings: Settings, judge: Judge | None
    ) -> "Entry":
        key = (blob, settings.digest, written_id)
        try:
            text = yaml_reader.decode(data)
            document = yaml_reader.parse(text)
        except YamlError as error:
            text = data[: yaml_reader.MAX_BYTES].decode(errors="replace")
            return Entry(key, text, None, (Place(path, text).at("yaml", error.message, error.mark, error.help),))
        job_id = intern(f"{self._repo}/{written_id}" if self._repo else written_id)
        # Runs that come from the store have the same texts, and share them.
        source = Source(self._repo, "", intern(path), intern(blob), settings.digest)
        job = make_job(document, job_id, written_id, source, text, settings)
        if isinstance(job, Job):
            return Entry(key, text, job, (), judge(job) if judge is not None else None)
        place = Place(path, text)
        return Entry(key, text, None, tuple(place.finding(complaint) for complaint in job))

    def _jobs(self, entries: "Iterable[Entry]", revision: Revision) -> dict[str, Job]:
        """Give each job the revision, and the params of all."""
        found = [(entry, entry.job) for entry in entries if entry.job is not None]
        params = {job.job_id: job.params for _, job in found}
        jobs = {}
        for entry, job in found:
            template = job.template
            if isinstance(template, JobTemplate):
                template = replace(template, params=params)
            entry.job = replace(job, template=template, source=replace(job.source, revision=revision.id))
            jobs[job.job_id] = entry.job
        return jobs

    def _pools(self, settings: Settings) -> dict[str, int]:
        return {full_pool(self._repo, name): size for name, size in settings.pools.items()}


def inline_job(data: Mapping[str, Any], job_id: str, params: Mapping[str, tuple[str, ...]] | None = None) -> Job:
    """Make a job of a job file's keys given by value; raise BadRequest, naming the place.

    `params` are those of other jobs by full id; without them a dependency has only the args that it is given.
    """
    _refuse_large(data)
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if not storable(text):
        raise BadRequest("the job has half a character in a text")
    value = json.loads(text)
    document = Document(value, dict(_spellings(value)))
    source = Source(repo="", revision="", path="", blob=blob_id(text.encode()))
    job = make_job(document, job_id, job_id, source, text, Settings())
    if isinstance(job, Job):
        assert isinstance(job.template, JobTemplate)  # noqa: S101 - make_job made it
        return replace(job, template=replace(job.template, params=params))
    first = job[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.path).lstrip(".")
    raise BadRequest(f"{where}: {first.message}" if where else first.message, help=first.help)


@dataclass(slots=True)
class Entry:
    """What one file gave: a job, as of the last revision loaded, or findings; and what was judged of the job."""

    key: tuple[str, str, str]
    text: str
    job: Job | None
    findings: tuple[Finding, ...]
    judged: Judged | None = None


def _job_ids(tree: Mapping[str, str], roots: Sequence[str]) -> tuple[dict[str, str], list[Finding]]:
    """Return the id of each job file by path, sorted, and findings about paths that cannot be jobs."""
    ids: dict[str, str] = {}
    taken: dict[str, str] = {}
    findings: list[Finding] = []
    deepest_first = sorted(roots, key=len, reverse=True)
    for path in sorted(tree):
        if not path.endswith(SUFFIXES) or path == FILE or path.startswith(".") or "/." in path:
            continue
        root = next((root for root in deepest_first if not root or path.startswith(f"{root}/")), None)
        if root is None:
            continue
        job_id = path.removeprefix(f"{root}/" if root else "").rpartition(".")[0]
        if reason := _bad_id(job_id):
            findings.append(Finding("bad_path", "error", path, reason, help="Rename the file or folder."))
        elif job_id in taken:
            message = f"the job {job_id!r} is in {taken[job_id]} already"
            findings.append(Finding("duplicate_job", "error", path, message, help="Remove or rename one of them."))
        else:
            ids[path] = taken[job_id] = job_id
            taken[job_id] = path
    return ids, findings


def _bad_id(job_id: str) -> str | None:
    if "-" in job_id.split("/"):
        return "a part of a job's path cannot be just '-'"
    if not job_id.isprintable() or any(part != part.strip() or not part for part in job_id.split("/")):
        return "a job's path cannot have control characters, or spaces at the ends of its parts"
    return None


def _spellings(value: Any) -> Iterator[tuple[Path, str]]:
    """Yield the spelling of numbers and bools where text is meant; JSON has only the one."""
    for path, item in _items(value):
        if len(path) > 1 and path[-2] in SPELLED and isinstance(item, bool | int | float):
            yield path, spelled(item)


def _refuse_large(data: Mapping[str, Any]) -> None:
    for count, (path, _) in enumerate(_items(data)):
        if count > yaml_reader.MAX_NODES or len(path) > yaml_reader.MAX_DEPTH:
            raise BadRequest("the job is too large: it has too many values, or is nested too deeply")


def _items(value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield all values below with their paths; without recursion, for nothing has bounded the depth yet."""
    queue: list[tuple[Path, Any]] = [((), value)]
    while queue:
        path, item = queue.pop()
        yield path, item
        if isinstance(item, Mapping):
            queue.extend(((*path, key), child) for key, child in item.items())
        elif isinstance(item, list | tuple):
            queue.extend(((*path, n), child) for n, child in enumerate(item))


@contextmanager
def _collector_paused(pause: bool) -> Iterator[None]:
    if not pause or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # jobs have no cycles, and go when nobody has them; walking ten thousand would take 70 ms
        gc.enable()
