"""From the library's errors to findings in our own words, at the place in the file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from apsis.domain.finding import Finding, Severity
from apsis.domain.state import State
from apsis.spec import models
from apsis.spec import yaml as yaml_reader
from apsis.spec.fields import did_you_mean, kind
from apsis.spec.yaml import Document, Mark, Path, YamlError

MAX_FINDINGS: Final = 50
"""Of one file; who has more reads the first."""
MAX_SOURCE_CHARS: Final = 200
"""Of the line that is shown."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one value, by its path in the file; `key`: the key itself is meant."""

    code: str
    path: Path
    message: str
    help: str | None = None
    key: bool = False


class Place:
    """Finds lines and columns in one file's text. Reads it once more, with marks: only files with findings pay."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self._lines = _LINE_BREAK.split(text)
        self._document: Document | None = None

    def finding(self, complaint: Complaint, severity: Severity = "error", within: str | None = None) -> Finding:
        """Return the finding; `within` is a word inside the value to point at."""
        mark = self._mark(complaint)
        if within is not None and mark is not None:
            mark = self._word(within, mark)
        return self.at(complaint.code, complaint.message, mark, complaint.help, severity)

    def at(
        self, code: str, message: str, mark: Mark | None, help_: str | None = None, severity: Severity = "error"
    ) -> Finding:
        """Return a finding at a mark, or about the whole file."""
        source = self._lines[mark.line - 1] if mark and mark.line <= len(self._lines) else None
        return Finding(
            code=code,
            severity=severity,
            path=self.path,
            message=message,
            line=mark.line if mark else None,
            column=mark.column if mark else None,
            help=help_,
            source=source[:MAX_SOURCE_CHARS] if source is not None else None,
        )

    def _mark(self, complaint: Complaint) -> Mark | None:
        if self._document is None:
            try:
                self._document = yaml_reader.parse(self._text, marks=True)
            except YamlError:
                return None
        table = self._document.keys if complaint.key else self._document.values
        path = complaint.path
        while path not in table and path:
            path, table = path[:-1], self._document.values
        return table.get(path)

    def _word(self, word: str, start: Mark) -> Mark:
        """Search a template's name from the value's place on, within the lines a value may have."""
        pattern = re.compile(rf"\b{re.escape(word)}\b")
        for number in range(start.line, min(len(self._lines), start.line + _VALUE_LINES) + 1):
            line = self._lines[number - 1]
            begin = start.column - 1 if number == start.line else 0
            brace = _OPENING.search(line, begin)
            if brace and (found := pattern.search(line, brace.end())):
                return Mark(number, found.start() + 1)
        return start


_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_OPENING: Final = re.compile(r"\{\{|\{%")
_VALUE_LINES: Final = 1_000


def complaints(error: ValidationError, data: Any, keys: Iterable[str]) -> list[Complaint]:
    """Return what is wrong with a file's data, in the file's order; `keys` are those of its top level."""
    found: list[Complaint] = []
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and item["input"]:
            continue  # its items are wrong, and said to be
        complaint = _complaint(item, data, tuple(keys))
        if complaint not in found:
            found.append(complaint)
    bad_types = {complaint.path[:-1] for complaint in found if complaint.code == "unknown_type"}
    typeless = {complaint.path for complaint in found if complaint.code == "missing_type"}
    return [
        complaint
        for complaint in found
        if complaint.code in ("unknown_type", "missing_type")
        or not (complaint.path in typeless or complaint.path in bad_types or complaint.path[:-1] in bad_types)
    ][:MAX_FINDINGS]


def _complaint(item: Mapping[str, Any], data: Any, keys: tuple[str, ...]) -> Complaint:
    path = _path(item["loc"], data)
    context = item.get("ctx") or {}
    last = str(item["loc"][-1]) if item["loc"] else ""
    if _is_secret(item["input"]) and last not in ("secret", "as_secret", "type"):
        return Complaint("secret", path, "a secret cannot stand here", SECRETS)
    match item["type"]:
        case "apsis":
            return Complaint(context["code"], path, context["message"], context["help"], last == "[key]")
        case "missing" if last == "type":
            return _type_missing(path)
        case "missing":
            return Complaint("missing_key", path, f"the key {last!r} is missing")
        case "extra_forbidden":
            known = _known_keys(path[:-1], data, keys)
            return Complaint(
                "unknown_key", path, f"unknown key {last!r}", did_you_mean(last, known) or _list(known), True
            )
        case "union_tag_not_found":
            return _type_missing(path)
        case "union_tag_invalid":
            return _type_unknown((*path, "type"), data)
        case "literal_error" if last == "type":
            return _type_unknown(path, data)
        case _:
            return _wrong_value(item, path)


def _wrong_value(item: Mapping[str, Any], path: Path) -> Complaint:
    context = item.get("ctx") or {}
    match item["type"]:
        case "too_short":
            return Complaint("empty", path, "this list cannot be empty")
        case "enum":
            states = [state.value for state in State]
            meant = did_you_mean(str(item["input"]), states) or _list(states)
            return Complaint("bad_state", path, f"no state {_said(item['input'])}", meant)
        case "literal_error":
            known = tuple(re.findall(r"'(\w+)'", context["expected"]))
            meant = did_you_mean(str(item["input"]), known) or _list(known)
            return Complaint("bad_value", path, f"{_said(item['input'])} is not allowed here", meant)
        case "too_long":
            return Complaint("too_many", path, f"at most {context['max_length']} are allowed here")
        case other:
            wanted = _WANTED.get(other, item["msg"][:1].lower() + item["msg"][1:])
            help_ = "Quote it." if wanted == "text" and isinstance(item["input"], bool | int | float) else None
            return Complaint("bad_type", path, f"this must be {wanted}, not {kind(item['input'])}", help_)


SECRETS: Final = "Secrets are for env.set of a program, and for url and secret of a webhook."


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secret"}


_WANTED: Final = {
    "string_type": "text",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "bool_type": "true or false",
    "int_type": "a whole number",
}


def _path(loc: tuple[str | int, ...], data: Any) -> Path:
    """Return the file's path of an error's place, which also names types of unions and indices of single items."""
    path: list[str | int] = []
    typed = False
    for part in loc:
        if not typed and isinstance(data, Mapping) and data.get("type") == part:
            typed = True
        elif _holds(data, part):
            data = data[part]
            path.append(part)
            typed = False
    return tuple(path)


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _type_missing(path: Path) -> Complaint:
    return Complaint("missing_type", path, "the key 'type' is missing", _list(_types_at(path)))


def _type_unknown(path: Path, data: Any) -> Complaint:
    for part in path:
        data = data[part]
    known = _types_at(path)
    help_ = (did_you_mean(data, known) if isinstance(data, str) else None) or _list(known)
    return Complaint("unknown_type", path, f"unknown {_KINDS[str(path[0])][0]} type {_said(data)}", help_)


def _types_at(path: Path) -> tuple[str, ...]:
    """Return the types that may stand at a path, the short names only where there are long ones."""
    return tuple(name for name in _KINDS[str(path[0])][1] if "." not in name)


_KINDS: Final[Mapping[str, tuple[str, Mapping[str, type[models.Written]]]]] = {
    "program": ("program", models.PROGRAMS),
    "schedule": ("schedule", models.SCHEDULES),
    "condition": ("condition", models.CONDITIONS),
    "conditions": ("condition", models.CONDITIONS),
    "action": ("action", models.ACTIONS),
    "actions": ("action", models.ACTIONS),
}


def _known_keys(path: Path, data: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    if not path:
        return keys
    for part in path:
        data = data[part]
    kind_ = models.TYPES.get(str(data.get("type")))
    model = kind_ or next((models.PARTS[part] for part in _upwards(path) if part in models.PARTS), None)
    return models.keys_of(model) if model else ()


def _upwards(path: Path) -> tuple[str, ...]:
    """Return the names at the end of a path: the last one, and the one before where items are numbered or named."""
    return tuple(part for part in reversed(path[-2:]) if isinstance(part, str))


def _list(known: Iterable[str]) -> str | None:
    names = ", ".join(known)
    return f"Known are: {names}." if names else None


def _said(value: object) -> str:
    return repr(value) if isinstance(value, str) else kind(value)
