"""Jobs that leave a mark for each time they really run, and a repository that knows what it asked for when."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.server import JobRepo

ASKED = "asked"
"""The job that only runs when somebody asks; its arg is how many seconds it takes."""

NEVER: Mapping[str, int] = {}

Timetable = Mapping[str, int]
"""Seconds between two runs of each scheduled job."""


class Marks:
    """A file with a line for each time that a program began."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def command(self, seconds: str) -> str:
        """Say a shell command that leaves its run's mark, by a single write, prints it too, and takes its time."""
        return f"echo $APSIS_RUN_ID | tee -a {self.path}; sleep {seconds}"

    def read(self) -> list[str]:
        """Return the run ids in the order of their marks."""
        return self.path.read_text().split()


class Timetables:
    """Pushes timetables to a repository, and remembers what each commit says."""

    def __init__(self, repo: JobRepo, marks: Marks) -> None:
        self._repo = repo
        self._marks = marks
        self._there: set[str] = set()
        self.of_commit: dict[str, Timetable] = {}

    def push(self, timetable: Timetable, seconds: int = 0) -> str:
        """Make the scheduled jobs be these, each taking some seconds; return the commit."""
        files: dict[str, str | None] = {f"{job}.yaml": None for job in self._there - timetable.keys()}
        files |= {f"{job}.yaml": self._scheduled(every, seconds) for job, every in timetable.items()}
        files[f"{ASKED}.yaml"] = f"params: [seconds]\n{self._program('{{ seconds }}')}"
        self._there = set(timetable)
        commit = self._repo.push(files)
        self.of_commit[commit] = dict(timetable)
        return commit

    def _scheduled(self, every: int, seconds: int) -> str:
        return f"schedule:\n  type: interval\n  interval: {every}s\n{self._program(str(seconds))}"

    def _program(self, seconds: str) -> str:
        return f'program:\n  type: shell\n  command: "{self._marks.command(seconds)}"\n'
