"""apsis.yaml: where the jobs are, own names for types, named calendars."""

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
from apsis.spec.complain import Complaint, Place, complaints
from apsis.spec.fields import did_you_mean
from apsis.spec.yaml import Path, YamlError

FILE: Final = "apsis.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What apsis.yaml says; `digest` is of what changes the meaning of a job file, and empty if nothing does."""

    roots: tuple[str, ...] = ("",)
    types: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    digest: str = ""


def read_settings(text: str, tree: Mapping[str, str]) -> tuple[Settings, list[Finding]]:
    """Read apsis.yaml; keys with errors count as absent, so that one slip does not hide what the jobs say."""
    place = Place(FILE, text)
    try:
        data = yaml_reader.parse(text).value if text.strip() else None
    except YamlError as error:
        if error.message == yaml_reader.EMPTY:
            return Settings(), []
        return Settings(), [place.at("yaml", error.message, error.mark, error.help)]
    if data is None:
        return Settings(), []
    if not isinstance(data, dict):
        return Settings(), [place.at("bad_type", "apsis.yaml is a mapping of keys", yaml_reader.Mark(1, 1))]
    found: list[Complaint] = []
    try:
        model = models.Settings.model_validate(data)
    except ValidationError as error:
        found = complaints(error, data, models.Settings.model_fields)
        model = models.Settings.model_validate(_without(data, {complaint.path[:2] for complaint in found}))
    roots, bad_roots = _roots(model, tree, data)
    types, bad_types = _types(model)
    settings = Settings(roots, types, model.calendars, _digest(types, model.calendars))
    return settings, [place.finding(complaint) for complaint in (*found, *bad_roots, *bad_types)]


def _without(data: Mapping[str, Any], bad: set[Path]) -> dict[str, Any]:
    """Return what is left when the values with errors are taken out."""
    left: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict) and (key,) not in bad:
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


def _digest(types: Mapping[str, str], calendars: Mapping[str, Calendar]) -> str:
    if not types and not calendars:
        return ""
    said = [sorted(types.items()), sorted((name, sorted(item.weekdays)) for name, item in calendars.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
