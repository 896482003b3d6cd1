import asyncio
import shutil
from contextlib import aclosing

import pytest

from apsis.lib.clock import SystemClock, VirtualClock
from apsis.lib.instant import from_ms
from apsis.repo import watch as watch_module
from apsis.repo.watch import watch
from tests.unit.repo.world import write_files


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(watch_module, "IDENTITY_MS", 100)
    monkeypatch.setattr(watch_module, "RETRY_S", 0.1)


def ring(root, act, clock=None) -> None:
    """Run until the bell rings for what `act` does."""

    async def wait() -> None:
        async with asyncio.timeout(20), aclosing(watch(root, clock or SystemClock())) as bells:
            await anext(bells)  # once at the beginning, when the watch is set up
            act()
            await anext(bells)

    asyncio.run(wait())


def test_the_bell_rings_for_a_write_a_new_folder_a_removal_and_an_atomic_save(tmp_path):
    write_files(tmp_path, {"a.yaml": "1"})
    ring(tmp_path, lambda: write_files(tmp_path, {"a.yaml": "2"}))
    ring(tmp_path, lambda: write_files(tmp_path, {"new/deep/b.yaml": "2"}))
    ring(tmp_path, (tmp_path / "a.yaml").unlink)
    write_files(tmp_path, {".a.yaml.part": "3"})
    ring(tmp_path, lambda: (tmp_path / ".a.yaml.part").rename(tmp_path / "a.yaml"))


def test_the_bell_rings_when_the_directory_is_removed_and_made_again(tmp_path):
    root = tmp_path / "jobs"
    write_files(root, {"a.yaml": "1"})

    async def story() -> None:
        async with asyncio.timeout(20), aclosing(watch(root, SystemClock())) as bells:
            await anext(bells)
            shutil.rmtree(root)
            await anext(bells)
            write_files(root, {"b.yaml": "1"})
            while not (root / "seen").exists():
                await anext(bells)
                if root.exists():
                    write_files(root, {"seen": ""})
            await anext(bells)  # the write of `seen` is seen, so the new directory is watched

    asyncio.run(story())


def test_a_directory_that_comes_later_is_watched_from_then_on(tmp_path):
    async def story() -> None:
        root = tmp_path / "later"
        async with asyncio.timeout(20), aclosing(watch(root, SystemClock())) as bells:
            ringing = asyncio.ensure_future(anext(bells))
            write_files(root, {"a.yaml": "1"})
            await ringing
            write_files(root, {"a.yaml": "2"})
            await anext(bells)

    asyncio.run(story())


def test_a_directory_that_the_kernel_will_not_watch_is_scanned_instead(tmp_path, monkeypatch, caplog):
    async def refuse(*_, **__):
        raise OSError("no watches left")
        yield

    monkeypatch.setattr(watch_module, "awatch", refuse)
    monkeypatch.setattr(watch_module, "UNWATCHED_S", 0)

    async def story() -> None:
        async with asyncio.timeout(20), aclosing(watch(tmp_path, SystemClock())) as bells:
            for _ in range(3):
                await anext(bells)

    asyncio.run(story())
    assert caplog.text.count("watch_failed") == 1


def test_the_bell_rings_once_a_minute_in_any_case(tmp_path):
    clock = VirtualClock(from_ms(0))
    ring(tmp_path, lambda: clock.turn_towards(from_ms(61_000)), clock)


def test_gits_own_files_do_not_ring(tmp_path):
    (tmp_path / ".git").mkdir()

    async def story() -> None:
        async with aclosing(watch(tmp_path, SystemClock())) as bells:
            await anext(bells)
            write_files(tmp_path, {".git/index.lock": "", ".git/refs/heads/main": "x"})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await anext(bells)

    asyncio.run(story())
