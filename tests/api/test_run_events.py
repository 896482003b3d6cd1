"""The stream of one run: exact to the byte, whatever happens in the middle."""

import asyncio
import base64

import pytest

from apsis.domain.errors import AgentError
from apsis.domain.events import Succeeded
from apsis.domain.state import State
from tests.api.asking import ask, reading
from tests.api.fakes import FakeServer, make_run


def play(scene):
    server = FakeServer()
    run = server.engine.add(make_run(1))
    asyncio.run(scene(server, run.run_id, f"/api/v1/runs/{run.run_id}/events"))


def output_of(events):
    """Join the output events; fail if a byte is missing or comes twice."""
    joined = b""
    for event in events:
        if event.name == "output":
            assert event.data["offset"] == len(joined), "a gap or a double"
            joined += base64.b64decode(event.data["data"])
    return joined


def test_a_finished_run_is_told_whole_and_ends_with_bye():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        server.engine.finish(run_id, b"x" * 200_000)
        async with reading(server.app, url + "?init=1") as reader:
            events = await reader.until("bye")
        assert [e.data["entry"]["seq"] for e in events if e.name == "log"] == [1, 2, 3, 4]
        assert [e.data["run"]["state"] for e in events if e.name == "run"] == ["success"]
        assert [e.data["meta"] for e in events if e.name == "meta"] == [{"pid": 7, "exit_code": 0}]
        assert output_of(events) == b"x" * 200_000
        assert all(len(base64.b64decode(e.data["data"])) <= 65536 for e in events if e.name == "output")
        assert events[-2].id == "4.1.200000"

    play(scene)


def test_a_run_is_followed_from_scheduled_to_its_last_byte():
    async def scene(server, run_id, url):
        async with reading(server.app, url + "?init=1") as reader:
            events = [await reader.next()]
            assert events[0].data["run"]["state"] == "scheduled"
            server.engine.begin(run_id)
            await server.live.write(run_id, b"one ")
            events += await reader.until("output")
            await server.live.write(run_id, b"two ")
            events += await reader.until("output")
            await server.live.end(run_id)
            server.engine.finish(run_id, b"one two three")
            events += await reader.until("bye")
        assert output_of(events) == b"one two three"
        assert [e.data["entry"]["seq"] for e in events if e.name == "log"] == [1, 2, 3, 4]
        assert [e.data["run"]["state"] for e in events if e.name == "run"][-1] == "success"

    play(scene)


def test_a_run_that_ends_while_its_output_still_hangs_is_ended_from_the_store():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        async with reading(server.app, url + "?init=1") as reader:
            await server.live.write(run_id, b"seen ")
            events = await reader.until("output")
            server.engine.finish(run_id, b"seen and not")
            events += await reader.until("bye")
        assert output_of(events) == b"seen and not"

    play(scene)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8])
def test_a_reader_resumes_to_the_byte_after_a_server_restart(cut):
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        await server.live.write(run_id, b"a" * 100_000)
        async with reading(server.app, url + "?init=1") as reader:
            seen = [await reader.next() for _ in range(min(cut, 7))]
        server.hub.started_at = make_run(5).schedule_time
        server.engine.finish(run_id, b"a" * 100_000 + b"b" * 50_000)
        async with reading(server.app, url, {"Last-Event-ID": seen[-1].id}) as reader:
            seen += await reader.until("bye")
        assert output_of(seen) == b"a" * 100_000 + b"b" * 50_000
        assert [e.data["entry"]["seq"] for e in seen if e.name == "log"] == [1, 2, 3, 4]

    play(scene)


def test_without_init_only_what_changes_is_sent():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        await server.live.write(run_id, b"before ")
        async with reading(server.app, url) as reader:
            await reader.until("run")
            await server.live.write(run_id, b"after")
            event = await reader.next("output")
            assert (event.data["offset"], base64.b64decode(event.data["data"])) == (7, b"after")
            server.engine.finish(run_id, b"before after")
            assert [e.data["entry"]["seq"] for e in await reader.until("bye") if e.name == "log"] == [4]

    play(scene)


def test_output_is_sent_from_the_offset_that_is_asked_for():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        server.engine.finish(run_id, b"0123456789")
        async with reading(server.app, url + "?init=1&offset=7") as reader:
            event = await reader.next("output")
            assert (event.data["offset"], base64.b64decode(event.data["data"])) == (7, b"789")

    play(scene)


def test_a_slow_reader_gets_every_log_entry_and_byte_and_only_the_latest_state():
    async def scene(server, run_id, url):
        async with reading(server.app, url + "?init=1") as reader:
            await reader.until("run")
            reader.hold()
            server.engine.begin(run_id)
            await reader.blocked.wait()
            server.engine.finish(run_id, b"all")
            reader.release()
            events = await reader.until("bye")
        assert [e.data["entry"]["seq"] for e in events if e.name == "log"] == [1, 2, 3, 4]
        assert output_of(events) == b"all"
        assert len([e for e in events if e.name == "run"]) <= 2

    play(scene)


def test_a_withdrawn_run_ends_its_stream():
    async def scene(server, run_id, url):
        async with reading(server.app, url + "?init=1") as reader:
            await reader.until("run")
            server.engine.withdraw(run_id)
            assert [e.name for e in await reader.until("bye")] == ["run-withdrawn", "bye"]

    play(scene)


def test_an_agent_that_does_not_answer_costs_nothing_but_time():
    async def scene(server, run_id, url):
        async def broken(_run, _start):
            raise AgentError("no agent")
            yield

        server.engine.begin(run_id)
        server.live.watch_output = broken
        async with reading(server.app, url + "?init=1") as reader:
            await reader.until("meta")
            server.engine.finish(run_id, b"kept")
            assert output_of(await reader.until("bye")) == b"kept"

    play(scene)


def test_a_new_attempt_begins_its_output_anew():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        async with reading(server.app, url, {"Last-Event-ID": "3.0.500"}) as reader:
            await server.live.write(run_id, b"new")
            event = await reader.next("output")
            assert event.data == {"attempt": 1, "offset": 0, "data": base64.b64encode(b"new").decode()}

    play(scene)


def test_the_stream_of_a_live_run_ends_with_bye_when_the_server_stops():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        async with reading(server.app, url + "?init=1") as reader:
            await reader.until("meta")
            server.hub.close()
            await reader.until("bye")
        assert server.hub._watches == {}

    play(scene)


def test_an_id_of_another_kind_of_stream_is_refused():
    server = FakeServer()
    run = server.engine.add(make_run(1))
    answer = ask(server.app, "GET", f"/api/v1/runs/{run.run_id}/events", headers={"Last-Event-ID": "17.4"})
    assert answer.json()["code"] == "invalid"


def test_a_run_that_broke_before_it_had_a_program_ends():
    async def scene(server, run_id, url):
        await server.engine.skip(run_id, who="ada")
        async with reading(server.app, url + "?init=1") as reader:
            assert [e.name for e in await reader.until("bye")] == ["run", "log", "bye"]

    play(scene)


def test_the_last_step_is_sent_even_if_it_comes_while_the_stream_reads():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        read = server.store.run_log

        async def finishes(run_id, after_seq=0):
            entries = await read(run_id, after_seq)
            if not server.store.runs[run_id].state.finished:
                server.engine.step(run_id, Succeeded())
            return entries

        server.store.run_log = finishes
        async with reading(server.app, url + "?init=1") as reader:
            events = await reader.until("bye")
        assert [e.data["entry"]["seq"] for e in events if e.name == "log"] == [1, 2, 3, 4]
        assert [e.data["run"]["state"] for e in events if e.name == "run"][-1] == "success"

    play(scene)


def test_the_output_may_be_left_out():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        await server.live.write(run_id, b"long")
        async with reading(server.app, url + "?init=1&output=0") as reader:
            await reader.until("meta")
            server.engine.finish(run_id, b"long")
            events = await reader.until("bye")
        assert [e.name for e in events] == ["run", "log", "meta", "bye"]

    play(scene)


def test_a_mark_that_comes_while_the_end_is_read_is_the_last_state():
    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        server.engine.finish(run_id, b"")
        read = server.store.run_log

        async def marked(run_id, after_seq=0):
            entries = await read(run_id, after_seq)
            if server.store.runs[run_id].state is State.SUCCESS:
                await server.engine.mark(run_id, State.FAILURE, who="ada")
            return entries

        server.store.run_log = marked
        async with reading(server.app, url + "?init=1") as reader:
            events = await reader.until("bye")
        assert [e.data["run"]["state"] for e in events if e.name == "run"][-1] == "failure"
        assert [e.data["entry"]["seq"] for e in events if e.name == "log"] == [1, 2, 3, 4, 5]

    play(scene)


def test_news_that_come_while_the_run_is_loaded_are_not_lost():
    """The store answers with the run as it was, after the news of its end have come and gone."""

    async def scene(server, run_id, url):
        server.engine.begin(run_id)
        load, loads = server.store.load_run, []

        async def slow(run_id):
            old = await load(run_id)
            loads.append(old)
            if len(loads) == 2:
                server.engine.finish(run_id, b"end")
            return old

        server.store.load_run = slow
        async with reading(server.app, url + "?init=1") as reader:
            events = await reader.until("bye")
        assert loads[1].state is State.RUNNING
        assert [e.data["run"]["state"] for e in events if e.name == "run"] == ["success"]
        assert output_of(events) == b"end"

    play(scene)


def test_a_run_that_is_withdrawn_before_its_stream_begins_ends_it():
    async def scene(server, run_id, url):
        load = server.store.load_run

        async def gone(run_id):
            found = await load(run_id)
            if run_id in server.store.runs:
                server.engine.withdraw(run_id)
            return found

        server.store.load_run = gone
        async with reading(server.app, url + "?init=1") as reader:
            assert [e.name for e in await reader.until("bye")][-2:] == ["run-withdrawn", "bye"]

    play(scene)
