import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from apsis.domain.errors import NotFound, StoreError
from apsis.store.output_files import OutputFiles

RUN_ID = "rabcdefgh234567qx"


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


def test_an_output_is_read_back_by_offset(tmp_path: Path) -> None:
    async def story() -> None:
        files = OutputFiles(tmp_path / "outputs")
        written = await files.write(RUN_ID, 2, chunks(b"abc", b"", b"de\xff"))
        assert written == (6, hashlib.sha256(b"abcde\xff").hexdigest())
        assert await files.length(RUN_ID, 2) == 6
        assert await files.read(RUN_ID, 2, 0, 100) == b"abcde\xff"
        assert await files.read(RUN_ID, 2, 2, 4) == b"cd"
        assert await files.read(RUN_ID, 2, 6, 9) == b""
        assert await files.read(RUN_ID, 2, 4, 2) == b""
        assert (tmp_path / "outputs" / "ab" / f"{RUN_ID}.2").read_bytes() == b"abcde\xff"

    asyncio.run(story())


def test_an_attempt_that_is_fetched_again_replaces_what_a_crash_left(tmp_path: Path) -> None:
    async def story() -> None:
        files = OutputFiles(tmp_path)
        broken = files.write(RUN_ID, 1, failing())
        with pytest.raises(RuntimeError):
            await broken
        with pytest.raises(NotFound):
            await files.length(RUN_ID, 1)
        await files.write(RUN_ID, 1, chunks(b"whole"))
        assert await files.read(RUN_ID, 1, 0, 100) == b"whole"
        assert [path.name for path in (tmp_path / "ab").iterdir()] == [f"{RUN_ID}.1"]

    async def failing() -> AsyncIterator[bytes]:
        yield b"a part that is longer than the whole"
        raise RuntimeError("the server dies")

    asyncio.run(story())


def test_a_deleted_output_is_not_there_and_may_be_deleted_again(tmp_path: Path) -> None:
    async def story() -> None:
        files = OutputFiles(tmp_path)
        await files.write(RUN_ID, 1, chunks(b"x"))
        await files.delete(RUN_ID, 1)
        await files.delete(RUN_ID, 1)
        with pytest.raises(NotFound):
            await files.read(RUN_ID, 1, 0, 1)

    asyncio.run(story())


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "r" + "." * 16, "rABCDEFGH234567QX", "r/bcdefgh234567qx", ""])
def test_no_id_leads_out_of_the_directory(tmp_path: Path, run_id: str) -> None:
    async def story() -> None:
        files = OutputFiles(tmp_path / "outputs")
        with pytest.raises(NotFound):
            await files.write(run_id, 1, chunks(b"x"))
        with pytest.raises(NotFound):
            await files.read(run_id, 1, 0, 1)
        with pytest.raises(NotFound):
            await files.delete(RUN_ID, -1)

    asyncio.run(story())
    assert list(tmp_path.iterdir()) == []


def test_what_the_file_system_refuses_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "ab").touch()
        with pytest.raises(StoreError, match=f"{tmp_path}/ab/{RUN_ID}.1: Not a directory"):
            await OutputFiles(tmp_path).read(RUN_ID, 1, 0, 1)

    asyncio.run(story())
