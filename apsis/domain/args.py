"""Args: the unordered names and values that tell one instance of a job from another."""

import json
from collections.abc import ItemsView, Iterator, KeysView, Mapping

from apsis.domain.errors import BadArgs

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Args(Mapping[str, str]):
    """An immutable, hashable mapping of param names to strings; equal if the same pairs, in whatever order."""

    __slots__ = ("_pairs", "canonical")

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._pairs = dict(sorted((values or {}).items()))
        self.canonical = _encode(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._pairs.keys()

    def items(self) -> ItemsView[str, str]:
        """Return names and values, by name."""
        return self._pairs.items()

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
    wanted, given = set(params), args.keys()
    if wanted != given:
        raise BadArgs(job_id, wanted - given, given - wanted, params)
