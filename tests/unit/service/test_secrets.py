"""Where secrets come from, and what is said when they do not."""

import asyncio
import sys
from pathlib import Path

import pytest

from apsis.domain.errors import ApsisError, NotFound, SecretError
from apsis.lib.clock import SystemClock, VirtualClock
from apsis.service import secrets
from apsis.service.secrets import ConfiguredSecrets, FromCommand, FromEnv, FromFile, Source
from tests.support.jobs import EPOCH


def value_of(source: Source) -> str:
    return asyncio.run(ConfiguredSecrets({"db": source}, SystemClock()).value("db"))


def error_of(source: Source) -> SecretError:
    with pytest.raises(SecretError) as caught:
        value_of(source)
    assert "hunter2" not in str(caught.value)
    assert caught.value.message.startswith("secret db: ")
    assert caught.value.help
    return caught.value


def script(code: str) -> FromCommand:
    return FromCommand((sys.executable, "-c", code))


def test_a_files_last_newline_is_none_of_the_value(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_text(" hunter2 \n\n")
    assert value_of(FromFile(path)) == " hunter2 \n"


def test_a_variable_and_a_command_give_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APSIS_TEST_DB", "hunter2")
    assert value_of(FromEnv("APSIS_TEST_DB")) == "hunter2"
    assert value_of(script("print('hunter' + '2')")) == "hunter2"


def test_what_does_not_come_is_named_with_the_remedy_and_without_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No such file" in error_of(FromFile(tmp_path / "none")).message
    assert "not set" in error_of(FromEnv("APSIS_TEST_NONE")).message
    assert "exit code 3" in error_of(script("import sys; print('hunter2'); sys.exit(3)")).message
    assert "No such file" in error_of(FromCommand((str(tmp_path / "none"),))).message
    (tmp_path / "empty").write_text("\n")
    assert "empty" in error_of(FromFile(tmp_path / "empty")).message
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    assert "not UTF-8" in error_of(FromFile(tmp_path / "binary")).message
    (tmp_path / "long").write_text("hunter2" * 10_000)
    assert "more than 65,536 bytes" in error_of(FromFile(tmp_path / "long")).message
    assert "more than 65,536 bytes" in error_of(script("while True: print('hunter2')")).message
    monkeypatch.setattr(secrets, "COMMAND_WITHIN_S", 0.3)
    assert "does not end within 0.3 s" in error_of(FromCommand(("sh", "-c", "sleep 1000 & sleep 1000"))).message


def test_an_unknown_name_is_told_with_what_was_perhaps_meant(tmp_path: Path) -> None:
    known = ConfiguredSecrets({"db-password": FromFile(tmp_path)}, SystemClock())

    def error(name: str) -> ApsisError:
        with pytest.raises(NotFound) as caught:
            asyncio.run(known.value(name))
        return caught.value

    assert error("db-pasword").help == "Did you mean db-password?"
    assert "secrets: {smtp:" in (error("smtp").help or "")


def test_a_rotated_value_is_in_use_soon_and_the_old_one_still_masked(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_text("hunter2")

    async def story() -> None:
        clock = VirtualClock(EPOCH)
        known = ConfiguredSecrets({"db": FromFile(path)}, clock)
        assert not known.known("db")
        assert await known.value("db") == "hunter2"
        path.write_text("rotated!")
        assert await known.value("db") == "hunter2"
        await clock.advance(secrets.KEPT_S)
        assert await known.value("db") == "rotated!"
        assert known.known("db")
        assert known.mask(b"hunter2 rotated!") == b"******* ********"

    asyncio.run(story())


def test_a_burst_of_uses_reads_once(tmp_path: Path) -> None:
    count = tmp_path / "count"

    async def story() -> None:
        known = ConfiguredSecrets({"db": FromCommand(("sh", "-c", f"echo . >>{count}; echo hunter2"))}, SystemClock())
        assert set(await asyncio.gather(*(known.value("db") for _ in range(50)))) == {"hunter2"}

    asyncio.run(story())
    assert count.read_text() == ".\n"
