"""The client against a real server, and the examples of its documentation."""

import asyncio
import base64
import inspect
import re
import threading
from pathlib import Path

import pytest

import apsis.client
from apsis.client import AsyncClient, BadRequest, Client, Conflict, NotFound, ServerUnreachable, TimedOut
from apsis.wire.events import LogAdded, OutputAdded, RunChanged
from tests.support.server import free_port

DOC = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", DOC.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_documentation_runs(live, monkeypatch, number):
    monkeypatch.setenv("APSIS_SERVER", live.url)
    exec(compile(EXAMPLES[number], f"docs/client.md, example {number + 1}", "exec"), {"Client": Client})  # noqa: S102


def test_both_clients_have_the_same_methods():
    def methods(kind):
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)


def test_everything_that_is_exported_is_there():
    assert all(getattr(apsis.client, name) for name in apsis.client.__all__)


def test_a_run_is_followed_through_a_restart_without_a_gap(own_live, tmp_path: Path):
    gates = tmp_path / "gates"
    gates.mkdir()

    def restart():
        own_live.kill()
        for number in (1, 2, 3):
            (gates / str(number)).touch()
        own_live.start()

    with Client(own_live.url) as client:
        run_id = client.run("slow/gates", {"gates": str(gates)}).run_id
        output, entries, state = b"", [], None
        restarting = None
        for event in client.run_events(run_id):
            if isinstance(event, OutputAdded):
                assert event.offset == len(output)
                output += base64.b64decode(event.data)
                if restarting is None:
                    restarting = threading.Thread(target=restart)
                    restarting.start()
            elif isinstance(event, LogAdded):
                entries.append(event.entry.seq)
            elif isinstance(event, RunChanged):
                state = event.run.state
        restarting.join()
        assert output == b"line 1\nline 2\nline 3\n" + b"y" * 100_000
        assert entries == list(range(1, len(entries) + 1))
        assert state == "success"


def test_waiting_has_an_end(live):
    with Client(live.url) as client:
        run_id = client.run("slow/forever").run_id
        with pytest.raises(TimedOut, match="goes on"):
            client.wait(run_id, timeout_s=0.5)
        client.stop(run_id)
        assert client.wait(run_id, timeout_s=30).state in {"failure", "success"}


def test_the_async_client_does_the_same(live):
    async def scene():
        async with AsyncClient(live.url, who="ada") as client:
            run = await client.run("echo", {"word": "hello"})
            run = await client.wait(run.run_id)
            assert run.state == "success"
            assert await client.output(run.run_id) == b"hello\n"
            pieces = [base64.b64decode(event.data) async for event in client.follow_output(run.run_id)]
            assert b"".join(pieces) == b"hello\n"
            slow = await client.run("slow/forever")
            with pytest.raises(TimedOut):
                await client.wait(slow.run_id, timeout_s=0.5)
            await client.stop(slow.run_id, "enough")
            log = await client.log(slow.run_id)
            assert ("ada", "asked to stop: enough") in [(entry.who, entry.message) for entry in log.log]
            with pytest.raises(NotFound):
                await client.get_run("rnope")
            with pytest.raises(NotFound):
                await client.output("rnope")

    asyncio.run(scene())


def test_refusals_are_errors_by_kind(live):
    with Client(live.url) as client:
        run_id = client.wait(client.run("noop").run_id).run_id
        with pytest.raises(Conflict):
            client.skip(run_id)
        with pytest.raises(BadRequest, match="word"):
            client.run("echo")
        with pytest.raises(BadRequest, match="state"):
            client.runs(states=["done"])
        for ask in (client.log, client.get_run, client.output, client.wait, client.stop):
            with pytest.raises(NotFound, match="rnope"):
                ask("rnope")
        with pytest.raises(NotFound, match="nope"):
            client.job("nope")


def test_an_inline_job_runs(live):
    with Client(live.url) as client:
        run = client.run_inline({"program": {"type": "shell", "command": "echo inline"}})
        assert client.wait(run.run_id).state == "success"
        assert client.output(run.run_id) == b"inline\n"


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "127.0.0.1:{port}", "http://no.invalid", "ftp://x"])
def test_nobody_there_is_told_at_once(address):
    with Client(address.format(port=free_port())) as client:
        for ask in (client.health, lambda: client.wait("r1"), lambda: client.output("r1")):
            with pytest.raises(ServerUnreachable):
                ask()


@pytest.mark.parametrize("address", ["http://[:", "http://a:b", "http://a b"])
def test_what_is_no_address_is_told(address):
    with pytest.raises(ServerUnreachable), Client(address) as client:
        client.health()


def test_the_summary_stream_goes_on_after_a_restart_with_a_reset(own_live):
    with Client(own_live.url) as client:
        after = client.runs().as_of
        events = client.events("runs", after=after)
        run_id = client.run("noop").run_id
        assert run_id in (event.run.run_id for event in events if event.event == "run")
        own_live.stop()
        own_live.start()
        assert "reset" in (event.event for event in events)
        events.close()
