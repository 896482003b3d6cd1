"""The summary stream: nothing missed, nothing twice, and no reader can grow the server."""

import asyncio

import pytest
from whenever import TimeDelta

from apsis.api import sse
from apsis.api.hub import CHUNK_BYTES, FAR_BEHIND
from apsis.domain.state import State
from tests.api.asking import ask, reading
from tests.api.fakes import T0, FakeServer, make_run

URL = "/api/v1/events"


def play(scene):
    """Run a scene on a loop of its own, with a fresh server."""
    asyncio.run(scene(FakeServer()))


async def reader_is_idle(server, reader):
    """Wait until the reader has all there is."""
    server.engine.apply("marker")
    await reader.until("jobs")


def test_hello_comes_first_and_names_the_server():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            hello = await reader.next()
            assert hello.name == "hello"
            assert hello.data == {
                "version": "0.1.0",
                "server_start": "2026-11-24T12:00:00.000Z",
                "as_of": server.hub.as_of,
            }
            assert reader.headers["content-type"].startswith("text/event-stream")
            assert reader.headers["x-accel-buffering"] == "no"
            assert reader.headers["cache-control"] == "no-store"

    play(scene)


def test_changes_come_in_the_shape_of_rest():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            run = server.engine.add(make_run(1))
            event = await reader.next()
            assert event.name == "run"
            assert event.data["run"]["run_id"] == run.run_id
            server.engine.withdraw(run.run_id)
            assert (await reader.next()).data == {"run_id": run.run_id, "job_id": run.job_id}
            server.engine.apply("a")
            assert (await reader.next()).data["added"] == ["a"]
            server.hub.sync_changed(server.repos.states()[0])
            assert (await reader.next()).data["repo"]["jobs"] == 1

    play(scene)


def test_a_reader_of_some_topics_gets_only_those():
    async def scene(server):
        async with reading(server.app, URL + "?topics=jobs,sync") as reader:
            await reader.until("hello")
            server.engine.add(make_run(1))
            server.engine.apply("a")
            assert (await reader.next()).name == "jobs"

    play(scene)


def test_a_page_and_the_stream_after_it_leave_no_gap():
    async def scene(server):
        server.engine.add(make_run(1))
        page = server.hub.as_of
        late = server.engine.add(make_run(2))
        async with reading(server.app, f"{URL}?after={page}") as reader:
            hello = await reader.next()
            assert hello.data["as_of"] == page
            assert (await reader.next()).data["run"]["run_id"] == late.run_id

    play(scene)


def test_a_reader_that_reconnects_misses_nothing_and_gets_nothing_twice():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            for number in range(5):
                server.engine.add(make_run(number))
            seen = [await reader.next() for _ in range(3)]
        for number in range(5, 8):
            server.engine.add(make_run(number))
        async with reading(server.app, f"{URL}?after=nonsense", {"Last-Event-ID": seen[-1].id}) as reader:
            await reader.until("hello")
            seen += [await reader.next() for _ in range(5)]
        assert [e.data["run"]["run_id"] for e in seen] == [make_run(number).run_id for number in range(8)]

    play(scene)


@pytest.mark.parametrize(
    "after", ["nonsense", "1.1", "-5", "", "{start}.999", "{start}.-1", "{start}.²", "{start}.1e3"]
)
def test_an_id_that_cannot_be_resumed_is_reset(after):
    async def scene(server):
        server.engine.add(make_run(1))
        start = server.hub.as_of.split(".")[0]
        async with reading(server.app, URL, {"Last-Event-ID": after.format(start=start)}) as reader:
            await reader.until("hello")
            if after:
                assert (await reader.next()).data == {"as_of": server.hub.as_of}
            new = server.engine.add(make_run(2))
            assert (await reader.next()).data["run"]["run_id"] == new.run_id

    play(scene)


def test_the_id_of_another_server_start_is_reset():
    old, new = FakeServer(), FakeServer(started_at=T0 + TimeDelta(seconds=1))

    async def scene():
        async with reading(new.app, f"{URL}?after={old.hub.as_of}") as reader:
            assert [e.name for e in await reader.until("reset")] == ["hello", "reset"]

    asyncio.run(scene())


def test_a_reader_that_fell_off_the_ring_is_reset_and_goes_on():
    async def scene():
        server = FakeServer(max_events=100)
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            server.engine.add(make_run(0))
            await reader.blocked.wait()
            for number in range(300):
                server.engine.add(make_run(number))
            reader.release()
            assert (await reader.until("reset"))[-1].data["as_of"] == server.hub.as_of
            last = server.engine.add(make_run(999))
            assert (await reader.next()).data["run"]["run_id"] == last.run_id

    asyncio.run(scene())


def test_a_reader_far_behind_gets_the_latest_of_each_run_and_is_told():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            server.engine.add(make_run(0))
            await reader.blocked.wait()
            for attempt in range(1, 201):
                for number in range(10):
                    server.engine.add(make_run(number, attempt=attempt))
            server.engine.apply("a")
            reader.release()
            events = await reader.until("coalesced")
            runs = [e.data["run"] for e in events if e.name == "run"][1:]
            assert {(r["run_id"], r["attempt"]) for r in runs} == {(make_run(n).run_id, 200) for n in range(10)}
            assert len(runs) == 10
            assert "jobs" in [e.name for e in events]
            assert events[-1].data == {"skipped": 1990}
            assert events[-1].id == server.hub.as_of

    play(scene)


def test_a_reader_a_little_behind_gets_each_step():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            server.engine.add(make_run(0))
            await reader.blocked.wait()
            for attempt in range(1, FAR_BEHIND // 2):
                server.engine.add(make_run(1, attempt=attempt))
            reader.release()
            events = [await reader.next() for _ in range(FAR_BEHIND // 2)]
            assert [e.data["run"]["attempt"] for e in events[1:]] == list(range(1, FAR_BEHIND // 2))

    play(scene)


def test_many_events_come_in_few_chunks_of_bounded_size():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            for number in range(400):
                server.engine.add(make_run(number))
            before, chunks = reader.bytes, reader.chunks
            await reader_is_idle(server, reader)
            sent = reader.bytes - before
            assert reader.chunks - chunks <= sent / CHUNK_BYTES + 2

    play(scene)


def test_a_held_reader_costs_the_server_no_memory():
    """What is kept is the ring's, however many readers stand still and however much happens."""

    async def scene():
        server = FakeServer(max_events=1000, max_bytes=100_000)
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            for number in range(5000):
                server.engine.add(make_run(number % 50, message="x" * 100))
                if number % 100 == 0:
                    await asyncio.sleep(0)
            ring = server.hub._ring
            kept = [ring[position] for position in range(ring.first, ring.last + 1)]
            assert sum(item.size for item in kept) <= 100_000
            assert len(ring._newest) <= len(kept)
            assert server.hub._memos == {} or len(server.hub._memos) == 1

    asyncio.run(scene())


def test_events_are_encoded_once_whoever_listens_and_never_without_readers(monkeypatch):
    encoded = []
    show = sse.encode

    def counting(message, event_id=None):
        encoded.append(message.event)
        return show(message, event_id)

    monkeypatch.setattr("apsis.api.hub.encode", counting)

    async def scene(server):
        server.engine.add(make_run(1))
        assert encoded == []
        async with reading(server.app, URL) as one, reading(server.app, URL) as two:
            for reader in (one, two):
                await reader.until("hello")
            server.engine.add(make_run(2))
            for reader in (one, two):
                await reader.until("run")
        assert encoded == ["run"]

    play(scene)


def test_bye_comes_before_the_server_stops():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            server.hub.close()
            assert (await reader.next()).name == "bye"
            await asyncio.wait_for(reader.ended.wait(), 5)

    play(scene)


def test_a_stream_opened_while_the_server_stops_ends_with_bye():
    async def scene(server):
        server.hub.close()
        async with reading(server.app, URL) as reader:
            await reader.until("bye")

    play(scene)


def test_pings_come_while_nothing_happens_and_let_silent_topics_resume(monkeypatch):
    monkeypatch.setattr(sse, "PING_S", 0.01)

    async def scene(server):
        async with reading(server.app, URL + "?topics=jobs") as reader:
            await reader.until("hello")
            server.engine.add(make_run(1))
            ping = await reader.next()
            while ping.id != server.hub.as_of:
                ping = await reader.next()
            assert ping.name == "ping"
            assert ping.data["time"].endswith("Z")

    play(scene)


def test_a_reader_that_never_reads_is_cut_off(monkeypatch, caplog):
    monkeypatch.setattr(sse, "SEND_LIMIT_S", 0.05)
    monkeypatch.setattr(sse, "PING_S", 0.02)

    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            with caplog.at_level("INFO", "apsis.api.sse"):
                server.engine.add(make_run(1))
                await asyncio.wait_for(reader.answering, 10)
            assert "stream_stalled" in caplog.text
            assert not [r for r in caplog.records if r.levelname == "ERROR"]

    play(scene)


def test_a_reader_that_left_is_forgotten():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.leave()
            await asyncio.wait_for(reader.answering, 10)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    play(scene)


def test_a_head_request_opens_no_stream():
    assert ask(FakeServer().app, "HEAD", URL).status_code == 200


def test_a_topic_that_is_none_is_refused():
    answer = ask(FakeServer().app, "GET", URL + "?topics=run")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_withdrawn_run_supersedes_its_changes():
    async def scene(server):
        async with reading(server.app, URL) as reader:
            await reader.until("hello")
            reader.hold()
            server.engine.add(make_run(0))
            await reader.blocked.wait()
            gone = server.engine.add(make_run(1, state=State.SCHEDULED))
            server.engine.withdraw(gone.run_id)
            for _ in range(FAR_BEHIND + 1):
                server.engine.add(make_run(2))
            reader.release()
            events = await reader.until("coalesced")
            assert [e.name for e in events if gone.run_id in str(e.data)] == ["run-withdrawn"]

    play(scene)
