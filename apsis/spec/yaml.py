"""YAML 1.2 core from libyaml's events, with a stack of our own.

Composing loaders recurse in C and can be crashed by a small file; events cost no stack, and they leave one place
for every limit. There are no anchors, aliases and tags here, and duplicate keys are errors.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from yaml import MarkedYAMLError, YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs know it as a base class only
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

MAX_BYTES: Final = 1 << 20
"""A megabyte of job file is data in the wrong place."""
MAX_DEPTH: Final = 50
"""Ten times what a job file needs."""
MAX_NODES: Final = 20_000
"""A thousand argv items fit twenty times."""

EMPTY: Final = "the file is empty"

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a text, 1-based, as people and editors count."""

    line: int
    column: int


class YamlError(ValueError):
    """A text that is no YAML as we read it, and where."""

    def __init__(self, message: str, mark: Mark | None = None, help: str | None = None) -> None:  # noqa: A002 - as in Finding
        super().__init__(message)
        self.message = message
        self.mark = mark
        self.help = help


@dataclass(slots=True)
class Document:
    """What a text says. `spelled` has the source of each value that is not a string."""

    value: Any
    spelled: dict[Path, str]
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)


def decode(data: bytes) -> str:
    """Return the text of a file; raise YamlError unless it is UTF-8 without control characters."""
    if len(data) > MAX_BYTES:
        raise YamlError(f"the file has {len(data):,} bytes; {MAX_BYTES:,} are allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        help_ = "This looks like UTF-16." if data[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise YamlError("the file is not UTF-8 here", Mark(line, column), help_ or "Save it as UTF-8.") from None
    bad = _FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - (text.rfind("\n", 0, bad.start()) + 1) + 1
        raise YamlError(f"the character {ascii(bad[0])[1:-1]} is not allowed in YAML", Mark(line, column))
    return text


def parse(text: str, *, marks: bool = False) -> Document:
    """Read the one document of `text`, with the places of keys and values if `marks`; raise YamlError."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"the text has {len(text):,} characters; {MAX_BYTES:,} are allowed")
    reader = _Reader(marks)
    try:
        parser = CParser(text)
        while not isinstance(event := parser.get_event(), StreamEndEvent):
            reader.take(event)
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        raise YamlError(_plain_words(error), _mark(at) if at else None) from None
    except YAMLError as error:
        raise YamlError(f"not YAML: {getattr(error, 'reason', error)}") from None
    except UnicodeEncodeError:
        raise YamlError("a character that UTF-8 does not have") from None
    if reader.documents == 0:
        raise YamlError(EMPTY)
    return Document(reader.value, reader.spelled, reader.values, reader.keys)


def scalar(text: str) -> Any:
    """Return what a plain scalar means in YAML 1.2's core schema; anything that is no number, bool or null is text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        if _INTEGER.fullmatch(text) and len(text) < 100:
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text[2:], base) if base != 10 else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if text.lower() in _SPECIAL:
            return _SPECIAL[text.lower()]
    return text


_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff\ufeff]")
_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = {
    **dict.fromkeys((".inf", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}


class _Reader:
    """Builds the value from events. `stack` holds the open collections; `pending` is a key that waits for its value."""

    def __init__(self, marks: bool) -> None:
        self.documents = 0
        self.value: Any = None
        self.spelled: dict[Path, str] = {}
        self.values: dict[Path, Mark] = {}
        self.keys: dict[Path, Mark] = {}
        self._marks = marks
        self._nodes = 0
        self._stack: list[tuple[Any, Path]] = []
        self._pending: list[str | None] = []

    def take(self, event: Any) -> None:
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)

    def scalar(self, event: Any) -> None:
        self._refuse_extras(event)
        if self._stack and self._pending[-1] is None and isinstance(self._stack[-1][0], dict):
            self._key(event)
        else:
            self._scalar(event)

    def mapping(self, event: Any) -> None:
        self._open({}, event)

    def sequence(self, event: Any) -> None:
        self._open([], event)

    def end(self, _: Any) -> None:
        self._stack.pop()
        self._pending.pop()

    def alias(self, event: Any) -> None:
        message = f"the alias *{event.anchor}: aliases are not used here"
        raise YamlError(message, _mark(event.start_mark), "Write the value again.")

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise YamlError("a second document begins here", _mark(event.start_mark), "A file has one document.")

    def _refuse_extras(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlError(f"more than {MAX_NODES:,} values", _mark(event.start_mark))
        if event.anchor is not None:
            raise YamlError(f"the anchor &{event.anchor}: anchors are not used here", _mark(event.start_mark))
        if event.tag is not None:
            raise YamlError(f"the tag {event.tag}: tags are not used here", _mark(event.start_mark))

    def _key(self, event: Any) -> None:
        mapping, path = self._stack[-1]
        key = event.value
        if event.implicit[0] and scalar(key) is None:
            raise YamlError("a key is missing before this colon", _mark(event.start_mark))
        if key in mapping:
            raise YamlError(f"the key {key!r} is given twice", _mark(event.start_mark), "Remove one of them.")
        if self._marks:
            self.keys[(*path, key)] = _mark(event.start_mark)
        self._pending[-1] = key

    def _scalar(self, event: Any) -> None:
        value = scalar(event.value) if event.implicit[0] else event.value
        path = self._place(value, event)
        if not isinstance(value, str):
            self.spelled[path] = event.value

    def _open(self, collection: Any, event: Any) -> None:
        self._refuse_extras(event)
        if len(self._stack) >= MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} deep", _mark(event.start_mark))
        if self._stack and isinstance(self._stack[-1][0], dict) and self._pending[-1] is None:
            raise YamlError("a key must be text, not a list or mapping", _mark(event.start_mark))
        path = self._place(collection, event)
        self._stack.append((collection, path))
        self._pending.append(None)

    def _place(self, value: Any, event: Any) -> Path:
        if not self._stack:
            self.value, path = value, Path()
        else:
            parent, base = self._stack[-1]
            if isinstance(parent, dict):
                key = self._pending[-1]
                assert key is not None  # noqa: S101 - events alternate keys and values
                parent[key] = value
                self._pending[-1] = None
                path = (*base, key)
            else:
                path = (*base, len(parent))
                parent.append(value)
        if self._marks:
            self.values[path] = _mark(event.start_mark)
        return path


_HANDLERS: Final = {
    ScalarEvent: _Reader.scalar,
    MappingStartEvent: _Reader.mapping,
    SequenceStartEvent: _Reader.sequence,
    MappingEndEvent: _Reader.end,
    SequenceEndEvent: _Reader.end,
    AliasEvent: _Reader.alias,
    DocumentStartEvent: _Reader.document,
}


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


# libyaml's problems, as it words them, and how we say them.
_PROBLEMS: Final = {
    "found character that cannot start any token": "a value cannot begin with a tab, @, ` or %: quote it",
    "mapping values are not allowed in this context": "a colon that cannot be here: quote the text before it, or"
    " check the indentation",
    "could not find expected ':'": "a key without its colon",
    "did not find expected key": "this line is not indented like the keys above it",
    "did not find expected '-' indicator": "this line is not indented like the list above it",
    "found unexpected end of stream": "a quote or bracket that is never closed",
    "did not find expected ',' or ']'": "a list that is never closed: a comma or ] is missing",
    "did not find expected ',' or '}'": "a mapping that is never closed: a comma or } is missing",
    "did not find expected <document start>": "text that belongs to nothing above it",
    "found unknown escape character": "an escape that double quotes do not know: use single quotes",
}


def _plain_words(error: MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    return f"not YAML: {_PROBLEMS.get(problem, problem)}"
