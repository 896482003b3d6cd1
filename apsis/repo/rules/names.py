"""Rules about templates: each can be read, and has its names."""

from collections.abc import Iterator
from typing import Any, Final

from apsis.domain.job import Job
from apsis.lib.template import TemplateError, free_names
from apsis.repo.rules.found import ACTION_KEYS, CONDITION_KEYS, items, templates
from apsis.spec.bind import JobTemplate
from apsis.spec.bind_actions import AT_MESSAGE
from apsis.spec.complain import Complaint
from apsis.spec.fields import did_you_mean
from apsis.spec.judged import Found
from apsis.spec.message import MESSAGE_NAMES
from apsis.spec.names import PROVIDED
from apsis.spec.yaml import Path


def templates_have_their_names(job: Job, template: JobTemplate) -> Iterator[Found]:
    """Every template can be read, and every name in it will be there."""
    written = template.written
    parts = [(("program",), template.program), *items(written, *CONDITION_KEYS)]
    if template.file.acts:
        parts += [*items(written, "successors"), *items(written, *ACTION_KEYS)]
    for path, text in templates(parts):
        yield from named(path, text, job.params, is_message=is_of_message(path))


def is_of_message(path: Path) -> bool:
    """Return whether a template of an action is filled in when the message is made; an arg may have the same name."""
    return path[0] in ACTION_KEYS and path[-1] in AT_MESSAGE and "args" not in path


def named(path: Path, text: str, params: tuple[str, ...], *, is_message: bool = False) -> Iterator[Found]:
    """Yield what is wrong with one template; `is_message`: it is filled in when a message is made."""
    try:
        names = free_names(text)
    except TemplateError as error:
        line = f" (line {error.line} of the text)" if error.line and "\n" in text.strip() else ""
        yield Found(Complaint("template", path, f"not a template: {error.message}{line}"))
        return
    known = (MESSAGE_NAMES if is_message else PROVIDED).union(params)
    for free in names:
        if not free.guarded and free.name not in known:
            yield Found(
                Complaint("unknown_name", path, f"{free.name!r} is not defined", _meant(free.name, known, params)),
                within=free.name,
            )


def unknown_names(text: str, *, is_message: bool) -> frozenset[str]:
    """Return the names that a template needs of its job's params; raise TemplateError."""
    known = MESSAGE_NAMES if is_message else PROVIDED
    return frozenset(free.name for free in free_names(text) if not free.guarded) - known


def _meant(name: str, known: Any, params: tuple[str, ...]) -> str:
    if name in MESSAGE_NAMES - PROVIDED:
        return ONLY_IN_MESSAGES
    offered = f"The job's params are: {', '.join(params)}." if params else "The job has no params."
    return did_you_mean(name, known) or offered


ONLY_IN_MESSAGES: Final = "Only subject and body of an action know what has happened to the run."
