"""What files spell in a way of their own: args that look like numbers, and own names for types."""

from collections.abc import Mapping
from typing import Any, Final

from apsis.spec.bind import listed
from apsis.spec.yaml import Path

SPELLED: Final = frozenset({"args", "argv", "set"})
"""Keys whose values are text however they look: `n: 010` means "010"."""
TYPED: Final = ("program", "schedule", "condition", "conditions", "action", "actions")
"""Keys whose values have a type."""


def spell(data: Any, spelled: Mapping[Path, str]) -> None:
    """Put the source of a number or bool where text is meant."""
    for path, spelling in spelled.items():
        if len(path) < 2 or path[-2] not in SPELLED or path[0] == "metadata":
            continue
        parent = data
        for part in path[:-1]:
            parent = parent[part]
        if parent[path[-1]] is not None:
            parent[path[-1]] = spelling


def spell_types(data: Mapping[str, Any], types: Mapping[str, str]) -> None:
    """Put the type for a repository's own name of it."""
    if not types:
        return
    for key in TYPED:
        for item in listed(data.get(key)):
            if isinstance(item, dict) and isinstance(item.get("type"), str):
                item["type"] = types.get(item["type"], item["type"])
