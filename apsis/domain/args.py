"""Args: the unordered names and values that tell one instance of a job from another."""

import json
from collections.abc import Iterator, Mapping

from apsis.domain.errors import BadArgs


class Args(Mapping[str, str]):
    """An immutable, hashable mapping of param names to strings; equal if the same pairs, in whatever order."""

    __slots__ = ("_pairs", "canonical")

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._pairs = dict(sorted((values or {}).items()))
        self.canonical = json.dumps(self._pairs, ensure_ascii=False, separators=(",", ":"))

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Args):
            return self.canonical == other.canonical
        return NotImplemented

    def __repr__(self) -> str:
        return f"Args({self._pairs!r})"


NO_ARGS = Args()


def check_args(job_id: str, params: tuple[str, ...], args: Mapping[str, str]) -> None:
    """Raise BadArgs unless `args` has exactly the `params` of the job."""
    missing, extra = set(params) - set(args), set(args) - set(params)
    if missing or extra:
        raise BadArgs(job_id, missing, extra, params)
