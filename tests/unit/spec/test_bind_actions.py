"""Actions, policies, environments and the newer conditions, bound for a run."""

from dataclasses import replace
from typing import Any

import pytest
from whenever import Instant

from apsis.conditions.const import Const
from apsis.conditions.max_running import MaxRunning
from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.conditions.skip_duplicate import SkipDuplicate
from apsis.domain.action import Email, If, ScheduleJob, Webhook
from apsis.domain.args import Args
from apsis.domain.condition import Condition
from apsis.domain.errors import BindError
from apsis.domain.job import Bound, Job
from apsis.domain.policy import Deadlines, Limits, Pool, Retry
from apsis.domain.program import Archive, Env, Process, Shell, Stats, Vacuum
from apsis.domain.secret import Secret
from apsis.domain.state import State
from apsis.spec.bound import dump_bound, load_bound
from apsis.spec.load import inline_job
from tests.unit.spec.files import NO_OP, job_of, load

DUE = Instant.parse_iso("2026-11-24T14:30:00Z")


def bind(job: Job, **args: str) -> Bound:
    bound = job.template.bind(job.job_id, "rabcdefghijklmnop", Args(args), DUE)
    assert load_bound(dump_bound(bound)) == bound
    return bound


def condition(text: str, params: str = "[]", **args: str) -> Condition:
    (bound,) = bind(job_of(f"{NO_OP}params: {params}\ncondition: {{{text}}}\n"), **args).conditions
    return bound


class TestConditions:
    def test_max_running_is_of_the_runs_own_instance(self) -> None:
        assert condition("type: max_running", "[n]", n="1") == MaxRunning("job", {"n": "1"}, 1)

    def test_max_running_may_be_of_another_arg_or_job(self) -> None:
        text = "type: max_running, count: '{{ n|int + 1 }}', args: {n: all}"
        assert condition(text, "[n]", n="1") == MaxRunning("job", {"n": "all"}, 2)
        job = job_of(
            f"{NO_OP}params: [a, b]\ncondition: {{type: max_running, job_id: up, timeout: 1h, on_timeout: skip}}\n",
            {"up.yaml": f"{NO_OP}params: a\n"},
            repo="team",
        )
        assert bind(job, a="1", b="2").conditions == (MaxRunning("team/up", {"a": "1"}, 1, 3600.0, "skip"),)

    @pytest.mark.parametrize("count", ["0", "-1", "10001", "1.5", "many", "1" * 30, "²"])
    def test_a_count_that_a_template_gives_is_judged(self, count: str) -> None:
        with pytest.raises(BindError, match=r"condition 1\.count: "):
            condition("type: max_running, count: '{{ n }}'", "[n]", n=count)

    def test_skip_duplicate_is_of_the_runs_own_instance(self) -> None:
        assert condition("type: skip_duplicate", "[n]", n="1") == SkipDuplicate("job", {"n": "1"})
        text = "type: skip_duplicate, check_states: running, target_state: success"
        assert condition(text) == SkipDuplicate("job", {}, (State.RUNNING,), State.SUCCESS)

    def test_const(self) -> None:
        assert condition("type: const, value: true") == Const(True)
        text = "type: const, value: '{{ n == \"1\" }}', timeout: '{{ n }} min', on_timeout: fail"
        assert condition(text, "[n]", n="2") == Const(False, 120.0, "fail")

    def test_probes_with_their_defaults(self) -> None:
        assert condition("type: file, path: /a") == FileExists("/a")
        assert condition("type: command, argv: [test, 010]") == CommandSucceeds(("test", "010"))
        assert condition("type: http, url: http://x") == HttpAnswers("http://x")

    def test_probes_with_all_their_keys(self) -> None:
        text = "path: '/a/{{ n }}', group_id: 'g{{ n }}', every: '{{ n }} min', timeout: 1h, on_timeout: fail"
        expected: dict[str, Any] = {"every_s": 60.0, "timeout_s": 3600.0, "on_timeout": "fail"}
        assert condition(f"type: file, {text}", "[n]", n="1") == FileExists("/a/1", "g1", **expected)
        http = "type: http, url: 'https://x/{{ n }}', status: [200, 204, 200]"
        assert condition(http, "[n]", n="1") == HttpAnswers("https://x/1", (200, 204))

    def test_a_disabled_one_is_left_out(self) -> None:
        job = job_of(f"{NO_OP}condition: [{{type: const, value: false, enabled: false}}, {{type: skip_duplicate}}]\n")
        assert bind(job).conditions == (SkipDuplicate("job"),)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("type: file, path: '{{ x }}'", r"condition 1\.path: 'bad' does not begin with /"),
            ("type: http, url: '{{ x }}'", r"condition 1\.url: 'bad' is no URL"),
            ("type: command, argv: ['{{ \"\" }}']", r"condition 1\.argv\[0\]: the program's name is empty"),
            ("type: file, path: /a, every: '{{ 0 }}'", r"condition 1\.every: this is at least 1s"),
            ("type: const, value: '{{ x }}'", r"condition 1\.value: 'bad' is neither true nor false"),
            ("type: const, value: true, timeout: '{{ x }}'", r"condition 1\.timeout: 'bad' is not a duration"),
            ("type: max_running, job_id: '{{ x }}'", r"condition 1: no job 'bad'"),
            ("type: max_running, args: {y: 1}", r"condition 1: job has no param y"),
        ],
    )
    def test_what_a_template_gives_is_judged(self, text: str, words: str) -> None:
        with pytest.raises(BindError, match=words):
            condition(text, "[x]", x="bad")


class TestPrograms:
    def test_an_environment(self) -> None:
        job = job_of(
            "params: [n]\nprogram:\n  type: shell\n  command: x\n  env:\n    set:\n      PORT: 010\n"
            "      N: 'n{{ n }}'\n      KEY: {secret: db.key}\n    unset: LANG\n    inherit: [HOME2, TERM]\n"
        )
        env = Env({"PORT": "010", "N": "n1", "KEY": Secret("db.key")}, ("LANG",), ("HOME2", "TERM"))
        assert bind(job, n="1").program == Shell("x", env=env)

    @pytest.mark.parametrize(("written", "inherit"), [("true", True), ("false", False), ("A", ("A",)), ("[]", ())])
    def test_what_is_inherited(self, written: str, inherit: object) -> None:
        job = job_of(f"program: {{type: process, argv: [a], env: {{inherit: {written}}}}}\n")
        program = bind(job).program
        assert isinstance(program, Process)
        assert program.env.inherit == inherit

    def test_a_variable_of_an_inline_job_is_text(self) -> None:
        program = {"type": "process", "argv": ["a"], "env": {"set": {"N": 10, "B": True, "S": {"secret": "k"}}}}
        bound = bind(inline_job({"program": program}, "adhoc"))
        assert bound.program == Process(("a",), env=Env({"N": "10", "B": "true", "S": Secret("k")}))

    @pytest.mark.parametrize("name", ["archive", "apsis.program.internal.archive.ArchiveProgram"])
    def test_archive(self, name: str) -> None:
        assert bind(job_of(f"program: {{type: {name}, age: 90d}}\n")).program == Archive(7_776_000.0)
        job = job_of(
            f"params: [y]\nprogram: {{type: {name}, age: 1h, path: 'old/{{{{ y }}}}.db', count: '{{{{ 5 * 2 }}}}',"
            " chunk_size: 7, chunk_sleep: 1.5}\n"
        )
        assert bind(job, y="2026").program == Archive(3_600.0, "old/2026.db", 10, 7, 1.5)
        with pytest.raises(BindError, match=r"program\.path: 'old/\.\./\.\./x\.db' is no path below"):
            bind(job, y="../../x")

    def test_vacuum_and_stats(self) -> None:
        long = "apsis.program.internal"
        assert bind(job_of(f"program: {{type: {long}.vacuum.VacuumProgram}}\n")).program == Vacuum()
        assert bind(job_of("program: {type: vacuum}\n")).program == Vacuum()
        assert bind(job_of(f"program: {{type: {long}.stats.StatsProgram, path: a/b.json}}\n")).program == Stats(
            "a/b.json"
        )


class TestPolicies:
    def test_what_is_left_out_has_no_effect(self) -> None:
        bound = bind(job_of(NO_OP))
        assert bound == Bound(bound.program)

    def test_all_of_them(self) -> None:
        job = job_of(
            f"{NO_OP}limits: {{waiting: 1h, since_schedule: 2h, running: 30}}\n"
            "retry: {count: 3, on: [error, failure], exit_codes: [75, 1], delay: 1 min, factor: 2, max_delay: 1h,"
            " jitter: 5s}\n"
            "pool: [db, {name: cpu, slots: 2, policy: replace}]\n"
            "deadlines: {start_by: 15 min, finish_by: 1h, longer_than: 30m}\n",
            repo="team",
        )
        bound = bind(job)
        assert bound.limits == Limits(3_600.0, 7_200.0, 30.0)
        assert bound.retry == Retry(3, ("error", "failure"), (75, 1), 60.0, 2.0, 3_600.0, 5.0)
        assert bound.pools == (Pool("team/db"), Pool("team/cpu", 2, "replace"))
        assert bound.deadlines == Deadlines(900.0, 3_600.0, 1_800.0)

    def test_the_short_forms(self) -> None:
        bound = bind(job_of(f"{NO_OP}retry: 3\npool: db\ndeadlines: {{longer_than: 1.5X}}\n"))
        assert (bound.retry, bound.pools) == (Retry(3), (Pool("db"),))
        assert bound.deadlines == Deadlines(longer_than_factor=1.5)


class TestActions:
    def test_a_schedule_action_has_complete_args(self) -> None:
        job = job_of(
            f"{NO_OP}params: [date, n]\naction: {{type: schedule, job_id: 'next{{{{ n }}}}', args:"
            " {k: '{{ n }}!'}, if: {states: [failure, error, failure], attempt: 1}}\n",
            {"next1.yaml": f"{NO_OP}params: [date, k]\n"},
            repo="team",
        )
        expected = ScheduleJob("team/next1", {"date": "d", "k": "1!"}, If((State.FAILURE, State.ERROR), (1,)))
        assert bind(job, date="d", n="1").actions == (expected,)

    def test_successors_are_schedule_actions_on_success(self) -> None:
        job = job_of(
            f"{NO_OP}params: [date]\nsuccessors: [a, {{job_id: b, args: {{x: 010}}}}]\n",
            {"a.yaml": NO_OP, "b.yaml": f"{NO_OP}params: [date, x]\n"},
        )
        success = If((State.SUCCESS,))
        assert bind(job, date="d").actions == (
            ScheduleJob("a", {}, success),
            ScheduleJob("b", {"date": "d", "x": "010"}, success),
        )
        assert job.template.actions[0] == {"type": "schedule", "job_id": "a", "if": {"states": ["success"]}}

    def test_the_words_of_a_message_stay_templates(self) -> None:
        job = job_of(
            f"{NO_OP}params: [who]\nactions:\n- type: email\n  to: ['{{{{ who }}}}@host', ops@host]\n"
            "  subject: '{{ job_id }} is {{ state }}'\n  body: '{{ message }}'\n  if: {deadlines: true}\n"
            "- {type: webhook, url: 'https://h/{{ who }}', secret: {secret: key}, format: slack, body: '{{ state }}'}\n"
            "- {type: webhook, url: {secret: hook}, if: {deadlines: [finish_by]}}\n"
        )
        assert bind(job, who="ada").actions == (
            Email(
                ("ada@host", "ops@host"),
                "{{ job_id }} is {{ state }}",
                "{{ message }}",
                If(deadlines=("start_by", "finish_by", "longer_than")),
            ),
            Webhook("https://h/ada", Secret("key"), "slack", "{{ state }}"),
            Webhook(Secret("hook"), if_=If(deadlines=("finish_by",))),
        )

    @pytest.mark.parametrize(
        ("action", "words"),
        [
            ("{type: email, to: '{{ x }}'}", r"action 1\.to\[0\]: 'bad' is no e-mail address"),
            ("{type: webhook, url: '{{ x }}'}", r"action 1\.url: 'bad' is no URL"),
            ("{type: schedule, job_id: '{{ x }}'}", r"action 1: no job 'bad'"),
            ("{type: schedule, job_id: up}", r"action 1: up needs the args n"),
        ],
    )
    def test_what_a_template_gives_is_judged(self, action: str, words: str) -> None:
        job = job_of(f"{NO_OP}params: [x]\naction: {action}\n", {"up.yaml": f"{NO_OP}params: [n]\n"})
        with pytest.raises(BindError, match=words):
            bind(job, x="bad")
        with pytest.raises(BindError, match=words):
            job.template.bind_actions("job", "r", Args({"x": "bad"}), DUE)

    def test_an_address_cannot_smuggle_in_another(self) -> None:
        job = job_of(f"{NO_OP}params: [x]\naction: {{type: email, to: '{{{{ x }}}}@host'}}\n")
        for smuggled in ("a\nBcc: b", "a, b@c", "a@b"):
            with pytest.raises(BindError, match="no e-mail address"):
                bind(job, x=smuggled)

    def test_a_run_that_cannot_be_bound_has_its_actions_all_the_same(self) -> None:
        job = job_of("params: [x]\nprogram: {type: shell, command: '{{ Date(x) }}'}\naction: {type: email, to: a@b}\n")
        with pytest.raises(BindError):
            bind(job, x="bad")
        assert job.template.bind_actions("job", "r", Args({"x": "bad"}), DUE) == (Email(("a@b",)),)

    def test_those_of_the_repository_come_last(self) -> None:
        files = {
            "apsis.yaml": "actions: {type: email, to: '{{ job_id }}@host', if: {states: error}}\n",
            "job.yaml": f"{NO_OP}action: {{type: schedule, job_id: b}}\nsuccessors: b\n",
            "b.yaml": NO_OP,
        }
        jobs = load(files).jobs.jobs
        shared = Email(("job@host",), if_=If((State.ERROR,)))
        own = ScheduleJob("b"), ScheduleJob("b", if_=If((State.SUCCESS,)))
        assert bind(jobs["job"]).actions == (*own, shared)
        assert bind(jobs["b"]).actions == (replace(shared, to=("b@host",)),)
        assert [action["type"] for action in jobs["job"].template.actions] == ["schedule", "schedule", "email"]
        assert jobs["b"].template.actions == ({"type": "email", "to": "{{ job_id }}@host", "if": {"states": "error"}},)
