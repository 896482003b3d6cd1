"""What programs are given, secrets among it, and what is seen of these in their output."""

from pathlib import Path

from msgspec.structs import replace

from apsis.domain.events import Broke, Failed, Succeeded
from apsis.domain.program import Env, Shell
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.lib.clock import SystemClock
from apsis.service.secrets import ConfiguredSecrets, FromFile
from tests.unit.agents.machine import Machine, play
from tests.unit.programs.runs import a_run, events_of, kinds_of

VALUE = "correct horse battery"


def secrets_at(directory: Path) -> ConfiguredSecrets:
    (directory / "db").write_text(VALUE + "\n")
    return ConfiguredSecrets({"db": FromFile(directory / "db")}, SystemClock())


def with_secret(command: str) -> Shell:
    return Shell(command, env=Env(set={"DB": Secret("db")}))


def test_a_program_gets_what_it_asks_for_and_no_more(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        env = Env(set={"A": "1", "B": "{not a template}", "DB": Secret("db")}, unset=("HOME",))
        program = Shell("echo $A,$B,${HOME-none},${PATH+path},${#DB},${PYTHONPATH-clean}", env=env)
        *_, ended = await events_of(kinds_of(machine, secrets_at(tmp_path)), a_run(program))
        assert isinstance(ended, Succeeded)
        assert ended.output is not None
        assert ended.output.data == f"1,{{not a template}},none,path,{len(VALUE)},clean\n".encode()

    play(story)


def test_a_secret_that_does_not_come_breaks_the_run_with_the_remedy(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        program = Shell("true", env=Env(set={"DB": Secret("bd")}))
        (broke,) = await events_of(kinds_of(machine, secrets_at(tmp_path)), a_run(program))
        assert broke == Broke("no secret 'bd'. Say in the server's configuration where it comes from: "
                              "`secrets: {bd: {file: PATH}}`.")  # fmt: skip

    play(story)


def test_a_printed_secret_is_masked_where_it_is_stored(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine, secrets_at(tmp_path))
        *_, small = await events_of(kinds, a_run(with_secret("echo pw=$DB.; exit 1"), name="small"))
        assert isinstance(small, Failed)
        assert small.output is not None
        assert small.output.data == b"pw=" + b"*" * len(VALUE) + b".\n"
        # Across the pieces in which a large output is fetched, at every offset.
        noise = "head -c 1048570 /dev/zero; echo $DB$DB; head -c 1048555 /dev/zero; echo $DB"
        run = a_run(with_secret(noise), name="large")
        *_, large = await events_of(kinds, run)
        assert isinstance(large, Succeeded)
        assert large.output is not None
        (kept,) = [path for path in (machine.directory / "outputs").rglob("*") if path.is_file()]
        data = kept.read_bytes()
        assert len(data) == large.output.length == 1048570 + 1048555 + 3 * len(VALUE) + 2
        assert data.replace(b"\0", b"") == b"*" * 2 * len(VALUE) + b"\n" + b"*" * len(VALUE) + b"\n"

    play(story)


def test_a_watcher_never_sees_a_secret_that_is_written_bit_by_bit(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        kinds = kinds_of(machine, secrets_at(tmp_path))
        step = f"step() {{ until [ -e {tmp_path}/$1 ]; do sleep 0.01; done; }}; "
        run = a_run(
            with_secret(step + 'printf "a ${DB:0:9}"; step 1; printf "${DB:9} b correct"; step 2; printf " no"')
        )
        events = kinds.start(run)
        await anext(events)
        watched = kinds.watch_output(run, 0)
        assert await anext(watched) == (0, b"a ")
        assert await kinds.output_length(run) == 2
        assert await kinds.read_output(run, 0, 100) == b"a "
        (tmp_path / "1").touch()
        assert await anext(watched) == (2, b"*" * len(VALUE) + b" b ")
        (tmp_path / "2").touch()
        assert await anext(watched) == (5 + len(VALUE), b"correct no")
        assert await kinds.read_output(run, 6, 10) == b"****"
        await anext(events)
        assert [piece async for piece in watched] == []
        await events.aclose()

    play(story)


def test_a_server_that_comes_back_masks_what_the_one_before_gave_out(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(with_secret(f"echo $DB; until [ -e {tmp_path}/go ]; do sleep 0.01; done"))
        before = kinds_of(machine, secrets_at(tmp_path)).start(run)
        await anext(before)
        await before.aclose()
        after = kinds_of(machine, secrets_at(tmp_path))
        events = after.connect(replace(run, state=State.RUNNING))
        await anext(events)
        _, seen = await anext(after.watch_output(run, 0))
        assert seen == b"*" * len(VALUE) + b"\n"
        (tmp_path / "go").touch()
        ended = await anext(events)
        assert isinstance(ended, Succeeded)
        assert ended.output is not None
        assert ended.output.data == seen
        await events.aclose()

    play(story)


def test_an_output_whose_secret_is_gone_stays_with_the_agent(tmp_path: Path) -> None:
    async def story(machine: Machine) -> None:
        run = a_run(with_secret(f"echo $DB; until [ -e {tmp_path}/go ]; do sleep 0.01; done"))
        before = kinds_of(machine, secrets_at(tmp_path)).start(run)
        await anext(before)
        await before.aclose()
        events = kinds_of(machine).connect(replace(run, state=State.RUNNING))
        await anext(events)
        (tmp_path / "go").touch()
        ended = await anext(events)
        assert isinstance(ended, Succeeded)
        assert ended.output is None
        assert "left on the agent for now: no secret 'db'" in ended.message
        await events.aclose()

    play(story)
