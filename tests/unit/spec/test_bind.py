import pytest
from whenever import Instant

from apsis.conditions.dependency import Dependency
from apsis.domain.args import Args
from apsis.domain.errors import BindError
from apsis.domain.job import Bound, Job
from apsis.domain.program import NoOp, Process, Shell, Stop, Timeout
from apsis.domain.state import State
from apsis.spec.load import inline_job
from tests.unit.spec.files import NO_OP, job_of

DUE = Instant.parse_iso("2026-11-24T14:30:00Z")


def bind(job: Job, **args: str) -> Bound:
    return job.template.bind(job.job_id, "rabcdefghijklmnop", Args(args), DUE)


def bound_condition(job: Job, **args: str) -> Dependency:
    (condition,) = bind(job, **args).conditions
    assert isinstance(condition, Dependency)
    return condition


def test_a_process_is_bound_with_its_defaults() -> None:
    job = job_of("params: [date]\nprogram: {type: procstar, argv: [load, --date, '{{ date }}', 'a {# b']}\n")
    assert bind(job, date="2026-11-24").program == Process(("load", "--date", "2026-11-24", "a {# b"))


def test_every_string_of_a_program_may_be_a_template() -> None:
    job = job_of(
        "params: [host, n]\nprogram:\n  type: shell\n  command: |\n"
        "    echo {{ run_id }} {{ job_id }} {{ schedule_time }}\n"
        "  group_id: on-{{ host }}\n  timeout: {duration: '{{ n }} min', signal: '{{ \"INT\" }}'}\n"
        "  stop: {signal: hup, grace_period: '{{ n|int * 2 }}'}\n"
    )
    assert bind(job, host="db1", n="5").program == Shell(
        "echo rabcdefghijklmnop job 2026-11-24T14:30:00Z\n",
        "on-db1",
        Timeout(300.0, "SIGINT"),
        Stop("SIGHUP", 10.0),
    )


@pytest.mark.parametrize(
    ("written", "outcome"), [("true", "success"), ("false", "failure"), ("null", "error"), ("~", "error")]
)
def test_a_no_op_says_how_it_ends(written: str, outcome: str) -> None:
    job = job_of(f"program: {{type: no-op, duration: 3s, success: {written}}}\n")
    program = bind(job).program
    assert isinstance(program, NoOp)
    assert (program.duration_s, program.outcome) == (3.0, outcome)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("{type: process, argv: [a, '{{ Date(x) }}']}", r"program\.argv\[1\]: 'bad' is no date"),
        ("{type: process, argv: ['{{ \"\" }}']}", r"program\.argv\[0\]: the program's name is empty"),
        ("{type: shell, command: '{{ nope }}'}", r"program\.command: 'nope' is undefined"),
        ("{type: shell, command: '{{ x'}", r"program\.command: "),
        (
            "{type: shell, command: a, timeout: {duration: '{{ x }}'}}",
            r"program\.timeout\.duration: 'bad' is not a dur",
        ),
        (
            "{type: shell, command: a, timeout: {duration: 1, signal: '{{ x }}'}}",
            r"program\.timeout\.signal: no signal",
        ),
        ("{type: shell, command: a, stop: {grace_period: '-{{ 1 }}'}}", r"program\.stop\.grace_period: "),
        ("{type: no-op, duration: '{{ x }}'}", r"program\.duration: "),
        ("{type: shell, command: '{{ \"\\0\" }}'}", r"program\.command: "),
    ],
)
def test_a_template_that_does_not_give_what_it_must_is_named(program: str, words: str) -> None:
    job = job_of(f"params: [x]\nprogram: {program}\n")
    with pytest.raises(BindError, match=words):
        bind(job, x="bad")


def test_an_arg_with_a_nul_starts_nothing() -> None:
    job = job_of("params: [x]\nprogram: {type: process, argv: [echo, '{{ x }}']}\n")
    with pytest.raises(BindError, match="NUL"):
        bind(job, x="a\0b")


class TestDependency:
    def test_missing_args_are_taken_by_name_from_the_run(self) -> None:
        job = job_of(
            f"{NO_OP}params: [date, zone]\ncondition: {{type: dependency, job_id: up/stream, args: {{n: 01}}}}\n",
            {"up/stream.yaml": f"params: [n, date]\n{NO_OP}"},
        )
        assert bound_condition(job, date="2026-11-24", zone="x") == Dependency(
            "up/stream", {"date": "2026-11-24", "n": "01"}
        )

    def test_everything_may_be_a_template(self) -> None:
        job = job_of(
            f"{NO_OP}params: [date, which]\ncondition:\n  type: dependency\n  enabled: '{{{{ which != \"none\" }}}}'\n"
            "  job_id: 'up/{{ which }}'\n  args: {date: '{{ Date(date) - 1 }}'}\n"
            "  states: [success, skipped, success]\n"
            "  exist: [running, scheduled]\n",
            {"up/a.yaml": f"params: [date]\n{NO_OP}"},
        )
        assert bound_condition(job, date="2026-11-24", which="a") == Dependency(
            "up/a",
            {"date": "2026-11-23"},
            (State.SUCCESS, State.SKIPPED),
            (State.RUNNING, State.SCHEDULED),
        )
        assert bind(job, date="2026-11-24", which="none").conditions == ()

    @pytest.mark.parametrize(
        ("written", "exist"), [("true", True), ("false", False), ("null", False), ("error", (State.ERROR,))]
    )
    def test_exist_is_a_flag_or_states(self, written: str, exist: object) -> None:
        job = job_of(f"{NO_OP}condition: {{type: dependency, job_id: b, exist: {written}}}\n", {"b.yaml": NO_OP})
        assert bound_condition(job).exist == exist

    def test_jobs_are_those_of_the_own_repository(self) -> None:
        job = job_of(f"{NO_OP}condition: {{type: dependency, job_id: b}}\n", {"b.yaml": NO_OP}, repo="team")
        assert bound_condition(job).job_id == "team/b"

    def test_a_job_of_another_repository_has_the_args_that_are_given(self) -> None:
        job = job_of(
            f"{NO_OP}params: date\ncondition:\n  type: dependency\n  job_id: //o/b\n  args: {{d: '{{{{ date }}}}'}}\n",
            repo="team",
        )
        assert bound_condition(job, date="x") == Dependency("o/b", {"d": "x"})

    @pytest.mark.parametrize(
        ("condition", "words"),
        [
            ("job_id: '{{ x }}'", "condition 1: no job 'bad'"),
            ("job_id: b, args: {m: 1}", "condition 1: b has no param m"),
            ("job_id: '{{ \"b\" }}'", "condition 1: b needs the args n"),
            ("job_id: b, args: {n: '{{ 1/0 }}'}", r"condition 1\.args\.n: division by zero"),
            ("job_id: b, args: {n: 1}, enabled: '{{ x }}'", r"condition 1\.enabled: 'bad' is neither true nor false"),
        ],
    )
    def test_what_cannot_be_bound_is_named(self, condition: str, words: str) -> None:
        job = job_of(
            f"{NO_OP}params: [x]\ncondition: {{type: dependency, {condition}}}\n", {"b.yaml": f"params: [n]\n{NO_OP}"}
        )
        with pytest.raises(BindError, match=words):
            bind(job, x="bad")

    def test_the_params_of_other_jobs_are_those_of_the_same_snapshot(self) -> None:
        text = f"{NO_OP}params: [a, b]\ncondition: {{type: dependency, job_id: up}}\n"
        before = job_of(text, {"up.yaml": f"params: [a]\n{NO_OP}"})
        after = job_of(text, {"up.yaml": f"params: [b]\n{NO_OP}"})
        assert bound_condition(before, a="1", b="2").args == {"a": "1"}
        assert bound_condition(after, a="1", b="2").args == {"b": "2"}

    def test_an_inline_job_can_be_told_what_other_jobs_need(self) -> None:
        data = {
            "params": ["a"],
            "program": {"type": "no-op"},
            "condition": {"type": "dependency", "job_id": "up"},
        }
        assert bound_condition(inline_job(data, "adhoc", {"up": ("a",)}), a="1").args == {"a": "1"}
        assert bound_condition(inline_job(data, "adhoc"), a="1").args == {}
