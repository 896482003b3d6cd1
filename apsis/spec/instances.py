"""Other jobs that a job names: their full ids, and their args, completed from a run's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from apsis.domain.args import Args
from apsis.domain.condition import Instance
from apsis.domain.errors import BindError
from apsis.spec.fill import Filler

ELSEWHERE: Final = "//"
"""Begins a job id that names its repository too."""


def full_id(repo: str, job_id: str) -> str:
    """Return the id that a job file's `job_id` means, behind the prefix of its repository."""
    if job_id.startswith(ELSEWHERE):
        return job_id.removeprefix(ELSEWHERE)
    return f"{repo}/{job_id}" if repo else job_id


def full_pool(repo: str, name: str) -> str:
    """Return the name that a pool of the repository has for the engine."""
    return f"{repo}/{name}" if repo else name


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one repository. `params` has their params by full id; None where there is no repository."""

    repo: str = ""
    params: Mapping[str, tuple[str, ...]] | None = field(default=None, repr=False)

    def instance(self, job_id: str, args: Mapping[str, str], place: str, run: Args, filler: Filler) -> Instance:
        """Return the instance that is named; args that it lacks are taken by name from the run's.

        Raises BindError if the repository has no such job, or its args are others.
        """
        written = filler.text(job_id, f"{place}.job_id")
        given = filler.args(args, f"{place}.args")
        full = full_id(self.repo, written)
        if self.params is None or (written.startswith(ELSEWHERE) and full not in self.params):
            return Instance(full, Args(given))
        if full not in self.params:
            raise BindError(f"{place}: no job {full!r}")
        params = self.params[full]
        if extra := given.keys() - set(params):
            raise BindError(f"{place}: {full} has no param {', '.join(sorted(extra))}")
        if missing := set(params) - given.keys() - run.keys():
            raise BindError(f"{place}: {full} needs the args {', '.join(sorted(missing))}")
        return Instance(full, Args({name: given[name] if name in given else run[name] for name in params}))

    def own(self, job_id: str, args: Mapping[str, str], place: str, run: Args, filler: Filler) -> Instance:
        """Return the run's own instance, or another of its job where args are given."""
        given = filler.args(args, f"{place}.args")
        if extra := given.keys() - run.keys():
            raise BindError(f"{place}: {job_id} has no param {', '.join(sorted(extra))}")
        return Instance(job_id, Args({**run, **given}))
