"""apsis.yaml: where the jobs are, own names for types, named calendars, pools, and what all jobs do."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from apsis.domain.finding import Finding
from apsis.schedules.calendar import Calendar
from apsis.spec import models
from apsis.spec import yaml as yaml_reader
from apsis.spec.bind import NOTHING_SHARED, Shared, listed
from apsis.spec.complain import Complaint, Place, complaints
from apsis.spec.fields import did_you_mean
from apsis.spec.spelling import spell, spell_types
from apsis.spec.yaml import Path, YamlError

FILE: Final = "apsis.yaml"
NAMED: Final = frozenset({"types", "calendars", "pools"})
"""Keys whose values stand alone, so that one with an error costs itself only."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What apsis.yaml says; `digest` is of what changes the meaning of a job file, and empty if nothing does."""

    roots: tuple[str, ...] = ("",)
    types: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    shared: Shared = NOTHING_SHARED
    digest: str = ""


def read_settings(text: str, tree: Mapping[str, str]) -> tuple[Settings, list[Finding]]:
    """Read apsis.yaml; keys with errors count as absent, so that one slip does not hide what the jobs say."""
    place = Place(FILE, text)
    try:
        document = yaml_reader.parse(text) if text.strip() else None
    except YamlError as error:
        if error.message == yaml_reader.EMPTY:
            return Settings(), []
        return Settings(), [place.at("yaml", error.message, error.mark, error.help)]
    data = document.value if document is not None else None
    if document is None or data is None:
        return Settings(), []
    if not isinstance(data, dict):
        return Settings(), [place.at("bad_type", "apsis.yaml is a mapping of keys", yaml_reader.Mark(1, 1))]
    found: list[Complaint] = []
    spell(data, document.spelled)
    spell_types(data, _aliases(data))
    try:
        model = models.Settings.model_validate(data)
    except ValidationError as error:
        found = complaints(error, data, models.keys_of(models.Settings))
        data = _without(data, {complaint.path[:2] for complaint in found})
        model = models.Settings.model_validate(data)
    roots, bad_roots = _roots(model, tree, data)
    types, bad_types = _types(model)
    shared = Shared(model.actions, tuple(listed(data.get("actions"))), isinstance(data.get("actions"), list))
    digest = _digest(types, model.calendars, shared)
    settings = Settings(roots, types, model.calendars, model.pools, shared, digest)
    return settings, [place.finding(complaint) for complaint in (*found, *bad_roots, *bad_types)]


def _without(data: Mapping[str, Any], bad: set[Path]) -> dict[str, Any]:
    """Return what is left when the values with errors are taken out."""
    left: dict[str, Any] = {}
    for key, value in data.items():
        if key in NAMED and isinstance(value, dict) and (key,) not in bad:
            left[key] = {name: item for name, item in value.items() if (key, name) not in bad}
        elif not any(path[:1] == (key,) for path in bad):
            left[key] = value
    return left


def _roots(
    model: models.Settings, tree: Mapping[str, str], data: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[Complaint]]:
    roots, found = [], []
    for number, written in enumerate(model.jobs):
        path = ("jobs", number) if isinstance(data.get("jobs"), list) else ("jobs",)
        root = "/".join(part for part in written.split("/") if part not in ("", "."))
        if ".." in root.split("/") or written.startswith("/"):
            found.append(Complaint("bad_root", path, f"{written!r} leads out of the repository"))
        elif root and not any(name.startswith(f"{root}/") for name in tree):
            folders = {name.rpartition("/")[0] for name in tree}
            found.append(Complaint("bad_root", path, f"no folder {written!r} with files", did_you_mean(root, folders)))
        else:
            roots.append(root)
    return tuple(roots) if model.jobs else ("",), found


def _types(model: models.Settings) -> tuple[dict[str, str], list[Complaint]]:
    types, found = {}, []
    for alias, target in model.types.items():
        if target not in models.TYPES:
            help_ = did_you_mean(target, models.TYPES) or f"Known are: {', '.join(models.TYPES)}."
            found.append(Complaint("unknown_type", ("types", alias), f"unknown type {target!r}", help_))
        elif alias in models.TYPES:
            found.append(Complaint("bad_alias", ("types", alias), f"{alias!r} is a type already", None, True))
        else:
            types[alias] = target
    return types, found


def _aliases(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of types that can be used in the same file; what is wrong with others is said elsewhere."""
    types = data.get("types")
    return {
        alias: target
        for alias, target in (types.items() if isinstance(types, dict) else ())
        if isinstance(target, str) and target in models.TYPES and alias not in models.TYPES
    }


def _digest(types: Mapping[str, str], calendars: Mapping[str, Calendar], shared: Shared) -> str:
    """Say what changes the meaning of a job file. The size of a pool does not: no job changes with it."""
    if not (types or calendars or shared.written):
        return ""
    said: list[object] = [
        sorted(types.items()),
        sorted((name, sorted(item.weekdays)) for name, item in calendars.items()),
    ]
    if shared.written:  # else as it was before there were these, so that an upgrade changes no job
        said.append(shared.written)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
