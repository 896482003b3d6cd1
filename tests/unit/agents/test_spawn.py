import os
import subprocess
import sys
from pathlib import Path

import pytest

from apsis.agents.spawn import spawn


def said(path: Path, argv: tuple[str, ...], environment: dict[str, str]) -> str:
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        assert os.waitpid(spawn(argv, environment, output), 0)[1] == 0
    finally:
        os.close(output)
    return path.read_text()


def program(directory: Path, words: str, mode: int = 0o755) -> str:
    directory.mkdir()
    (directory / "hello").write_text(f"#!/bin/sh\necho {words}\n")
    (directory / "hello").chmod(mode)
    return str(directory)


def test_a_name_is_looked_for_in_the_path_of_the_program_and_not_of_the_agent(tmp_path: Path) -> None:
    closed = program(tmp_path / "closed", "closed", 0o644)
    first, second = program(tmp_path / "first", "first"), program(tmp_path / "second", "second")
    no_directory = f"{first}/hello"
    path = ":".join(("/no/such", no_directory, closed, first, second))
    assert said(tmp_path / "out", ("hello",), {"PATH": path}) == "first\n"
    with pytest.raises(PermissionError):
        spawn(("hello",), {"PATH": f"{closed}:/no/such"}, 1)
    with pytest.raises(FileNotFoundError):
        spawn(("hello",), {"PATH": "/no/such"}, 1)


def test_what_an_agent_was_started_with_is_not_its_programs() -> None:
    code = (
        "from apsis.agents.spawn import keep_to_ourselves, spawn; import os; keep_to_ourselves();"
        "os.waitpid(spawn(('ls', '/proc/self/fd'), os.environ, 1), 0)"
    )
    inside, outside = os.pipe()
    try:
        argv = [sys.executable, "-c", code]
        done = subprocess.run(argv, pass_fds=(inside, outside), capture_output=True, text=True, check=True)
    finally:
        os.close(inside)
        os.close(outside)
    # The fourth is that of `ls`.
    assert done.stdout.split() == ["0", "1", "2", "3"]
