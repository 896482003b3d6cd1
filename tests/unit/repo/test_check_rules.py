"""Rules about actions, pools, retries, and what apsis.yaml adds to every job."""

import pytest

from apsis.domain.finding import Finding
from apsis.repo.check import check
from tests.unit.spec.files import NO_OP, load, said

SCHEDULES_B = f"{NO_OP}action: {{type: schedule, job_id: b}}\n"


def checked(text: str, settings: str = "", /, **others: str) -> list[Finding]:
    files = {"job.yaml": text, **{f"{name}.yaml": other for name, other in others.items()}}
    return list(check(load({**files, **({"apsis.yaml": settings} if settings else {})})))


def lines(text: str, settings: str = "", /, **others: str) -> list[str]:
    return [f"{finding.path} {said(finding)}" for finding in checked(text, settings, **others)]


class TestNames:
    @pytest.mark.parametrize(
        "text",
        [
            "action: {type: email, to: '{{ nope }}@host'}",
            "action: [{type: webhook, url: 'http://x/{{ nope }}'}]",
            "action: {type: webhook, url: http://x, body: '{{ nope }}'}",
            "successors: [{job_id: '{{ nope }}'}]",
            "successors: '{{ nope }}'",
            "condition: {type: file, path: '/{{ nope }}'}",
            "condition: {type: max_running, count: '{{ nope }}'}",
            "condition: {type: const, value: true, timeout: '{{ nope }}'}",
        ],
    )
    def test_every_new_place_must_have_its_names(self, text: str) -> None:
        (finding,) = checked(f"{NO_OP}{text}\n")
        assert (finding.code, finding.message) == ("unknown_name", "'nope' is not defined")
        assert finding.source is not None
        assert finding.column == finding.source.index("nope") + 1

    def test_a_variable_of_the_environment_too(self) -> None:
        assert lines("program: {type: shell, command: x, env: {set: {A: '{{ nope }}'}}}\n") == [
            "job.yaml 1:55 unknown_name: 'nope' is not defined"
        ]

    def test_only_a_message_knows_what_has_happened(self) -> None:
        action = (
            "action: {{type: email, to: {to}, subject: '{{{{ state }}}}', body: '{{{{ deadline }}}} {{{{ time }}}}'}}\n"
        )
        assert checked(NO_OP + action.format(to="a@b")) == []
        (finding,) = checked(NO_OP + action.format(to="'{{ state }}@b'"))
        assert finding.help == "Only subject and body of an action know what has happened to the run."

    def test_a_message_does_not_know_the_calendars(self) -> None:
        text = f"{NO_OP}action: {{type: email, to: a@b, body: '{{{{ get_calendar(\"all\") }}}}'}}\n"
        assert [finding.code for finding in checked(text)] == ["unknown_name"]

    def test_an_arg_may_be_called_body(self) -> None:
        text = f"{NO_OP}params: [body]\naction: {{type: schedule, job_id: b, args: {{body: '{{{{ state }}}}'}}}}\n"
        found = checked(text, b=f"{NO_OP}params: [body]\n")
        assert [finding.code for finding in found] == ["unknown_name"]


class TestJobs:
    @pytest.mark.parametrize(
        "text",
        [
            "action: {type: schedule, job_id: nxet}",
            "actions: [{type: schedule, job_id: nxet}]",
            "successors: nxet",
            "successors: [nxet]",
            "successors: {job_id: nxet}",
            "condition: {type: max_running, job_id: nxet}",
        ],
    )
    def test_a_job_that_is_not_there_is_an_error_at_its_name(self, text: str) -> None:
        (finding,) = checked(f"{NO_OP}{text}\n", next=NO_OP)
        assert (finding.code, finding.severity, finding.help) == ("unknown_job", "error", "Did you mean next?")
        assert finding.source is not None
        assert finding.column == finding.source.index("nxet") + 1

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("action: {{type: schedule, job_id: up{args}}}", "action"),
            ("successors: [{{job_id: up{args}}}]", "successor"),
            ("condition: {{type: max_running, job_id: up{args}}}", "condition"),
        ],
    )
    def test_its_args_must_be_complete_and_known(self, text: str, what: str) -> None:
        up = f"{NO_OP}params: [date, n]\n"
        own = f"{NO_OP}params: [date]\n"
        assert checked(own + text.format(args=", args: {n: 1}") + "\n", up=up) == []
        (missing,) = checked(own + text.format(args="") + "\n", up=up)
        assert (missing.code, missing.message) == ("missing_arg", "up needs the args n")
        assert f"the {what}'s args" in str(missing.help)
        (unknown,) = checked(own + text.format(args=", args: {n: 1, m: 2}") + "\n", up=up)
        assert (unknown.code, unknown.message) == ("unknown_arg", "the job up has no param 'm'")

    def test_max_running_of_ones_own_has_ones_own_args(self) -> None:
        text = f"{NO_OP}params: [n]\ncondition: {{type: max_running, args: {{m: 1}}}}\n"
        assert lines(text) == ["job.yaml 3:39 unknown_arg: the job job has no param 'm'"]

    def test_a_job_of_another_repository_is_a_warning(self) -> None:
        (finding,) = checked(f"{NO_OP}successors: //other/b\n")
        assert (finding.code, finding.severity) == ("other_repo", "warning")


class TestPools:
    def test_a_pool_must_be_named_in_apsis_yaml(self) -> None:
        (finding,) = checked(f"{NO_OP}pool: databse\n", "pools: {database: 2}\n")
        assert said(finding) == "2:7 unknown_pool: no pool 'databse'"
        assert finding.help == "Did you mean database?"
        (finding,) = checked(f"{NO_OP}pool: [{{name: x}}]\n")
        assert finding.help == "Name it in apsis.yaml: pools: {x: SLOTS}."

    def test_a_run_must_fit_into_its_pool(self) -> None:
        text = f"{NO_OP}pool: [{{name: db, slots: 3}}]\n"
        assert checked(text, "pools: {db: 3}\n") == []
        assert lines(text, "pools: {db: 2}\n") == [
            "job.yaml 2:26 pool_too_small: the run needs 3 slots, and the pool db has 2"
        ]

    def test_it_is_the_same_whatever_the_prefix(self) -> None:
        files = {"apsis.yaml": "pools: {db: 1}\n", "job.yaml": f"{NO_OP}pool: db\n"}
        assert check(load(files, "team")) == ()


class TestNoEffect:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("retry: {count: 1, on: error, exit_codes: 75}", "an exit code is a failure, and only errors are tried"),
            ("retry: {count: 1, delay: 1h, max_delay: 1s}", "max_delay is less than delay"),
            ("action: {type: email, to: a@b, if: {deadlines: true}}", "the job has no deadline start_by or finish_by"),
            ("action: {type: email, to: a@b, if: {deadlines: start_by}}\ndeadlines: {finish_by: 1h}", "no deadline"),
            (
                "action: {type: email, to: a@b, if: {attempt: 3}}\nretry: 1",
                "there is no attempt 3: a run has at most 2",
            ),
        ],
    )
    def test_what_changes_nothing_is_warned_of(self, text: str, message: str) -> None:
        (finding,) = checked(f"{NO_OP}{text}\n")
        assert (finding.code, finding.severity) == ("no_effect", "warning")
        assert message in finding.message

    def test_what_can_happen_is_fine(self) -> None:
        action = "action: {type: email, to: a@b, if: {attempt: [2, 9], deadlines: [start_by, finish_by]}}\n"
        assert checked(f"{NO_OP}{action}retry: 1\ndeadlines: {{finish_by: 1h}}\n") == []


class TestCycles:
    def test_jobs_that_schedule_each_other_on_success_are_warned_of_once(self) -> None:
        found = checked(
            f"{NO_OP}successors: b\n",
            b=f"{NO_OP}action: {{type: schedule, job_id: c}}\n",
            c=f"{NO_OP}successors: job\n",
        )
        assert [(f.path, f.code, f.severity) for f in found] == [("b.yaml", "action_cycle", "warning")]
        assert found[0].message == "on success these schedule each other without end: b → c → job → b"

    def test_a_job_that_schedules_itself(self) -> None:
        assert lines(f"{NO_OP}successors: [job]\n") == [
            "job.yaml 2:14 action_cycle: on success job schedules itself, without end"
        ]

    def test_each_cycle_is_told(self) -> None:
        found = checked(f"{NO_OP}successors: [job, b]\n", b=f"{NO_OP}successors: [b, job]\n")
        assert [f.code for f in found] == ["action_cycle"] * 3

    @pytest.mark.parametrize(
        "back",
        [
            "{type: schedule, job_id: job, if: {states: failure}}",
            "{type: schedule, job_id: job, if: {attempt: 2}}",
            "{type: schedule, job_id: job, if: {deadlines: true}}",
            "{type: schedule, job_id: '{{ \"job\" }}'}",
            "{type: email, to: a@b}",
        ],
    )
    def test_a_way_back_that_need_not_happen_is_fine(self, back: str) -> None:
        others = {"b": f"{NO_OP}retry: 1\ndeadlines: {{start_by: 1h}}\naction: {back}\n"}
        assert checked(SCHEDULES_B, **others) == []

    def test_a_chain_and_a_diamond_are_no_cycles(self) -> None:
        found = checked(
            f"{NO_OP}successors: [b, c]\n", b=f"{NO_OP}successors: d\n", c=f"{NO_OP}successors: d\n", d=NO_OP
        )
        assert found == []

    def test_those_of_the_repository_count(self) -> None:
        action = "actions: {type: schedule, job_id: b, if: {states: success}}\n"
        found = checked(NO_OP, action, b=NO_OP)
        assert [(f.path, f.code, f.severity) for f in found] == [("apsis.yaml", "action_cycle", "warning")]


class TestShared:
    def test_an_action_may_not_need_params_that_a_job_lacks(self) -> None:
        settings = "actions:\n- {type: email, to: a@b}\n- {type: email, to: '{{ date }}@b'}\n"
        has = f"{NO_OP}params: [date]\n"
        assert checked(has, settings) == []
        assert lines(has, settings, b=NO_OP, c=NO_OP) == ["apsis.yaml 3:25 unknown_name: 'date' is not defined in b, c"]
        many = {f"j{n}": NO_OP for n in range(9)}
        assert lines(has, settings, **many) == [
            "apsis.yaml 3:25 unknown_name: 'date' is not defined in j0, j1, j2 and 6 more jobs"
        ]

    def test_a_single_action_is_found_at_its_place(self) -> None:
        settings = "actions: {type: webhook, url: http://x, body: '{{ nope }} {{ state }}'}\n"
        assert lines(NO_OP, settings) == ["apsis.yaml 1:51 unknown_name: 'nope' is not defined in job"]

    def test_a_template_that_cannot_be_read_is_told_once(self) -> None:
        found = checked(NO_OP, "actions: {type: webhook, url: http://x, body: '{{ nope'}\n", b=NO_OP)
        assert [(f.path, f.code) for f in found] == [("apsis.yaml", "template")]

    def test_the_job_it_schedules_must_be_there_and_get_its_args_from_every_job(self) -> None:
        action = "actions: {{type: schedule, job_id: {}, if: {{states: failure}}}}\n"
        assert lines(NO_OP, action.format("gone")) == ["apsis.yaml 1:35 unknown_job: no job 'gone'"]
        up = f"{NO_OP}params: [n]\n"
        assert lines(NO_OP, action.format("up"), up=up) == [
            "apsis.yaml 1:10 missing_arg: up needs the arg n, which is no param of job"
        ]
        assert lines(NO_OP, action.format("up, args: {n: 1, m: 1}"), up=up) == [
            "apsis.yaml 1:52 unknown_arg: the job up has no param 'm'"
        ]
        assert lines(NO_OP, action.format("up, args: {n: 1}"), up=up) == []

    def test_it_is_the_same_whatever_the_prefix(self) -> None:
        files = {"apsis.yaml": "actions: {type: schedule, job_id: b, if: {states: failure}}\n", "b.yaml": NO_OP}
        assert check(load(files)) == check(load(files, "team")) == ()
