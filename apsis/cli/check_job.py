"""`apsis check-job`: check a job repository, or some of its files, without a server and without a network."""

import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from apsis.domain.finding import Finding
    from apsis.spec.load import Loaded

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

SETTINGS = "apsis.yaml"


@app.command()
def check_job(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="A job repository, or files of one; default: the current directory.", metavar="[PATH…]"),
    ] = None,
    rev: Annotated[str | None, typer.Option(help="Check this git revision instead of the files as they are.")] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print findings.")] = "text",
) -> None:
    """Check job files.

    A directory is checked as a job repository. Of files, only what concerns them is told, but the whole repository
    around them is read, for jobs depend on each other.

    Exits with 0 if there are no errors (warnings are allowed), 1 if there are some, 2 if it cannot look.
    """
    from apsis.domain.errors import ApsisError

    try:
        reports = [_check(target, rev) for target in _targets(paths or [Path()])]
    except ApsisError as error:
        _refuse(error.message, error.help)
    report = Report(
        findings=[finding for part in reports for finding in part.findings], jobs=sum(part.jobs for part in reports)
    )
    _print_json(report) if format == "json" else _print_text(report)
    raise typer.Exit(1 if report.errors else 0)


@dataclass(frozen=True, slots=True)
class Target:
    """A job repository, and the files of it that are meant; None means all."""

    root: Path
    files: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and in how many jobs."""

    findings: "Sequence[Finding]"
    jobs: int

    @property
    def errors(self) -> int:
        """How many findings reject a commit."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many do not."""
        return len(self.findings) - self.errors


def _targets(paths: Iterable[Path]) -> list[Target]:
    """Return the repositories of the paths, each once."""
    files: dict[Path, list[str]] = {}
    whole: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            whole[path.resolve()] = None
        elif path.is_file():
            root = _root_of(path.resolve())
            files.setdefault(root, []).append(path.resolve().relative_to(root).as_posix())
        else:
            _refuse(f"there is no file or directory {str(path)!r}", None)
    return [
        *(Target(root, None) for root in whole),
        *(Target(root, tuple(names)) for root, names in files.items() if root not in whole),
    ]


def _root_of(file: Path) -> Path:
    """Return the nearest folder above that has apsis.yaml or .git; else the file's own."""
    for folder in file.parents:
        if (folder / SETTINGS).is_file() or (folder / ".git").exists():
            return folder
    return file.parent


def _check(target: Target, rev: str | None) -> Report:
    from apsis.repo.check import check

    loaded = _load_commit(target.root, rev) if rev is not None else _load_directory(target.root)
    findings = check(loaded)
    if target.files is None:
        return Report(findings, len(loaded.ids))
    wanted = set(target.files)
    for file in sorted(wanted - loaded.texts.keys()):
        if not any(finding.path == file for finding in findings):
            _refuse(f"{file} is no job file of the repository {target.root}", _why_no_job(file, loaded.settings.roots))
    return Report([finding for finding in findings if finding.path in wanted], len(wanted & loaded.ids.keys()))


def _why_no_job(file: str, roots: Sequence[str]) -> str:
    if not file.endswith((".yaml", ".yml")):
        return "Job files end in .yaml or .yml."
    if roots != ("",):
        return f"{SETTINGS} says that jobs are in {', '.join(roots)}."
    return "Files and folders that begin with a dot are not read."


def _load_directory(root: Path) -> "Loaded":
    from apsis.repo.check import judge
    from apsis.repo.directory import Directory
    from apsis.spec.load import Loader

    scanned = Directory(root).scan()
    return Loader("").load(scanned.revision, scanned.tree, scanned.read, judge)


def _load_commit(root: Path, rev: str) -> "Loaded":
    from apsis.domain.errors import NotFound
    from apsis.repo.check import judge
    from apsis.repo.git import GitStore
    from apsis.spec.load import Loader

    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    below = "" if top == root else f"{root.relative_to(top).as_posix()}/"
    store = GitStore(top)
    tree = {path.removeprefix(below): blob for path, blob in store.tree(rev).items() if path.startswith(below)}
    if not tree:
        raise NotFound("folder", below.rstrip("/"))
    return Loader("").load(store.revision(rev), tree, store.read, judge)


def _print_json(report: Report) -> None:
    import json

    print(
        json.dumps(
            {
                "findings": [_as_json(finding) for finding in report.findings],
                "jobs": report.jobs,
                "errors": report.errors,
                "warnings": report.warnings,
                "ok": not report.errors,
            },
            indent=2,
        )
    )


def _as_json(finding: "Finding") -> Mapping[str, object]:
    names = ("code", "severity", "path", "line", "column", "message", "help")
    return {name: getattr(finding, name) for name in names}


def _print_text(report: Report) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a verdict must not depend on the terminal's alphabet
    paint = _paint if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else _plain
    for finding in report.findings:
        print("\n".join(_lines(finding, paint)))
        print()
    print(_summary(report))


def _lines(finding: "Finding", paint: "_Paint") -> Iterable[str]:
    place = ":".join(str(part) for part in (_shown(finding.path), finding.line, finding.column) if part is not None)
    said = paint(finding.severity, f"{finding.severity} {finding.code}")
    yield f"{paint('place', place)}: {said}: {finding.message}"
    if finding.source is not None and finding.column is not None:
        yield f"  {_shown(finding.source)}"
        yield "  " + _indent(finding.source[: finding.column - 1]) + paint(finding.severity, "^")
    if finding.help:
        yield f"  help: {finding.help}"


def _shown(text: str) -> str:
    """Return the text with a mark for each character that would do something to a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def _indent(before: str) -> str:
    """Return blanks as wide as the text before the caret, tabs kept."""
    import unicodedata

    return "".join(
        "\t"
        if c == "\t"
        else ""
        if unicodedata.combining(c)
        else "  "
        if unicodedata.east_asian_width(c) in "WF"
        else " "
        for c in before
    )


def _summary(report: Report) -> str:
    checked = f"checked {_count(report.jobs, 'job')}: "
    if not report.findings:
        return f"{checked}ok"
    parts = ((report.errors, "error"), (report.warnings, "warning"))
    return checked + ", ".join(_count(number, word) for number, word in parts)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


class _Paint:
    """Colours for a terminal."""

    codes: Mapping[str, str]

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = codes

    def __call__(self, what: str, text: str) -> str:
        return f"\x1b[{self.codes[what]}m{text}\x1b[0m" if what in self.codes else text


_paint = _Paint({"error": "1;31", "warning": "1;33", "place": "1"})
_plain = _Paint({})


def _refuse(message: str, help_: str | None) -> NoReturn:
    print(f"check-job: {message}", file=sys.stderr)
    if help_:
        print(f"  help: {help_}", file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
