import json
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from apsis.domain.args import check_args
from apsis.domain.finding import Finding, rejects
from apsis.domain.job import Job
from apsis.repo.check import RULES, SNAPSHOT_RULES, check, judge
from apsis.spec.judged import Judged
from apsis.spec.load import Loader
from tests.unit.spec.files import NO_OP, NOON, REVISION, Files, load, said

PROGRAMS = [
    {"type": "no-op", "duration": "{{ date|length }}"},
    {"type": "shell", "command": "{{ Date(date) + 1 }}"},
    {"type": "shell", "command": "{% if x is defined %}{{ x }}{% endif %}"},
    {"type": "process", "argv": ["echo", "{{ x|default(1) }}", "{{ time|d(schedule_time) }}"]},
    {"type": "process", "argv": ["{{ job_id }}"], "timeout": {"duration": "{{ 5 }} min"}},
    {"type": "shell", "command": "x", "env": {"set": {"A": "{{ date }}", "B": {"secret": "b"}}, "inherit": ["C"]}},
    {"type": "archive", "age": "{{ date|length }} d"},
]
SCHEDULES = [
    {"type": "interval", "interval": "1h"},
    {"type": "interval", "interval": "1h", "args": {"x": "1"}},
    {"type": "daily", "tz": "UTC", "daytime": ["9:00", "10:00"], "args": {"x": "1"}},
    {"type": "daily", "tz": "Asia/Tokyo", "daytime": "9:00", "calendar": "Mon-Fri", "cal_shift": -1},
]
CONDITIONS = [
    {"type": "dependency", "job_id": "a"},
    {"type": "dependency", "job_id": "b", "args": {"x": "{{ x }}"}},
    {"type": "dependency", "job_id": "c", "args": {"date": "{{ Date(date) - 1 }}"}, "enabled": "{{ date != '' }}"},
    {"type": "dependency", "job_id": "//other/b", "exist": True},
    {"type": "max_running", "job_id": "b", "count": "{{ x|default(1)|int }}"},
    {"type": "max_running", "args": {"x": "1"}},
    {"type": "skip_duplicate", "check_states": "running"},
    {"type": "file", "path": "/{{ date }}", "timeout": "{{ 5 }} min"},
    {"type": "http", "url": "http://host/{{ x }}", "status": 204},
]
ACTIONS = [
    {"type": "schedule", "job_id": "a"},
    {"type": "schedule", "job_id": "b", "args": {"x": "{{ x|default(job_id) }}"}, "if": {"states": "failure"}},
    {"type": "email", "to": "{{ job_id }}@host", "subject": "{{ state }}", "if": {"deadlines": True}},
    {"type": "webhook", "url": {"secret": "hook"}, "body": "{{ date }} {{ labels|join }}"},
]


def found(files: dict[str, str], repo: str = "") -> list[str]:
    return [f"{finding.path} {finding.severity} {said(finding)}" for finding in check(load(files, repo))]


def checked(text: str, **others: str) -> list[Finding]:
    return list(check(load({"job.yaml": text, **{f"{name}.yaml": other for name, other in others.items()}})))


def test_a_repository_without_mistakes_has_no_findings() -> None:
    assert found({"a.yaml": NO_OP, "apsis.yaml": ""}) == []


def test_findings_are_sorted_by_file_and_line_with_the_loaders() -> None:
    schedule = "schedule:\n- {type: interval, interval: 9, args: {y: 1, x: 1}}\n"
    lines = found({"b.yaml": "x", "a.yaml": NO_OP + schedule, "c.yml": "-"})
    assert [line.split()[0] for line in lines] == ["a.yaml", "a.yaml", "b.yaml", "c.yml"]
    assert ["'y'" in line for line in lines[:2]] == [True, False]


def test_every_rule_says_what_it_demands() -> None:
    assert all(rule.__doc__ for rule in (*RULES, *SNAPSHOT_RULES))


job_files = st.fixed_dictionaries(
    {"program": st.sampled_from(PROGRAMS)},
    optional={
        "params": st.lists(st.sampled_from(["date", "x", "time"]), unique=True, max_size=3),
        "schedule": st.lists(st.sampled_from(SCHEDULES), max_size=2) | st.sampled_from(SCHEDULES),
        "conditions": st.lists(st.sampled_from(CONDITIONS), max_size=2) | st.sampled_from(CONDITIONS),
        "action": st.lists(st.sampled_from(ACTIONS), max_size=2) | st.sampled_from(ACTIONS),
        "successors": st.sampled_from(["a", ["b", {"job_id": "c", "args": {"date": "{{ date|d(1) }}"}}]]),
        "pool": st.sampled_from(["p", {"name": "p", "slots": 3}, ["p", "q"]]),
        "retry": st.sampled_from([1, {"count": 2, "factor": 2}]),
    },
)


settings_files = st.fixed_dictionaries(
    {}, optional={"pools": st.sampled_from([{"p": 2}, {"p": 3, "q": 1}]), "actions": st.sampled_from(ACTIONS)}
)


@given(st.dictionaries(st.sampled_from(["a.yaml", "b.yaml", "c.yaml"]), job_files, min_size=1), settings_files)
def test_what_passes_the_check_can_be_bound_for_every_run_of_its_schedules(
    files: dict[str, object], settings: dict[str, object]
) -> None:
    loaded = load({path: json.dumps(data) for path, data in (*files.items(), ("apsis.yaml", settings))})
    if rejects(check(loaded)):
        return
    for job in loaded.jobs.jobs.values():
        for schedule in job.schedules:
            for occurrence in islice(schedule.between(NOON, NOON + TimeDelta(hours=100)), 3):
                args = job.args_of(schedule, occurrence)
                check_args(job.job_id, job.params, args)
                assert job.template.bind(job.job_id, "r1", args, occurrence.time).program.type


class TestSchedules:
    def test_a_schedule_must_give_the_params(self) -> None:
        (finding,) = checked(
            f"params: [date, region, x]\n{NO_OP}schedule:\n- {{type: interval, interval: 1h, args: {{region: eu}}}}\n"
        )
        assert said(finding) == "4:3 missing_arg: the schedule gives no x, which the job has as params"
        assert (
            finding.help == "Give it in the schedule's args. By itself it provides date, daytime, schedule_time, time."
        )

    def test_a_schedule_may_give_only_params(self) -> None:
        (finding,) = checked(
            f"params: [region]\n{NO_OP}schedule: {{type: interval, interval: 1h, args: {{regoin: eu, region: x}}}}\n"
        )
        assert said(finding) == "3:49 unknown_arg: the job job has no param 'regoin'"
        assert finding.help == "Did you mean region?"

    def test_a_template_in_the_args_of_a_schedule_is_warned_of(self) -> None:
        (finding,) = checked(
            f"params: [x]\n{NO_OP}schedule: {{type: interval, interval: 1h, args: {{x: '{{{{ date }}}}'}}}}\n"
        )
        assert (finding.code, finding.severity) == ("not_a_template", "warning")


class TestDaylightSaving:
    TEXT = f"{NO_OP}schedule:\n  type: daily\n  tz: America/New_York\n  daytime: [9:00, 2:30, 1:30]\n"

    def test_a_daytime_that_the_clocks_skip_or_repeat_is_a_warning(self) -> None:
        findings = checked(self.TEXT)
        assert [said(finding) for finding in findings] == [
            "5:19 dst_skipped: 02:30 is skipped on 2027-03-14 in America/New_York: the run is at 03:00",
            "5:25 dst_repeated: 01:30 is repeated on 2027-11-07 in America/New_York: the run is at the first",
        ]
        assert not rejects(tuple(findings))

    def test_it_does_not_matter_on_days_that_have_no_run(self) -> None:
        assert checked(f"{self.TEXT}  calendar: Mon-Fri\n") == []
        assert checked(f"{self.TEXT}  enabled: false\n") == []
        assert len(checked(f"{self.TEXT}  calendar: Sat\n  date_shift: 1\n")) == 2

    def test_it_is_told_from_the_time_of_the_revision_on(self) -> None:
        loaded = load({"job.yaml": self.TEXT})
        revision = replace(loaded.jobs.revision, time=Instant.parse_iso("2030-01-01T00:00Z"))
        (first, _) = check(replace(loaded, jobs=replace(loaded.jobs, revision=revision)))
        assert "2030-03-10" in first.message


class TestTemplates:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("program: {type: shell, command: 'echo {{ daet }}'}", "2:42 unknown_name: 'daet' is not defined"),
            ("program:\n  type: shell\n  command: |\n    date\n    echo {{ date }} {{ x }}",
             "6:24 unknown_name: 'x' is not defined"),
            ("program: {type: process, argv: [a, b, '{{ y }}']}", "2:43 unknown_name: 'y' is not defined"),
            ("program: {type: shell, command: '{{ date'}", "2:33 template: not a template: unexpected end of template,"
             " expected 'end of print statement'"),
            ("program:\n  type: shell\n  command: |\n    date\n    {% fi %}", "4:12 template:"
             " not a template: Encountered unknown tag 'fi' (line 2 of the text)"),
            ("program: {type: shell, command: '{{ date|uper }}'}", "2:33 template: not a template: no filter 'uper':"
             " did you mean upper?"),
            ("program: {type: shell, command: '{% for a in date %}{% for b in date %}{% endfor %}{% endfor %}'}",
             "2:33 template: not a template: a loop inside a loop: let the program do this"),
            ("program: {type: no-op, duration: '{{ n }}'}", "2:38 unknown_name: 'n' is not defined"),
            (f"{NO_OP}condition: {{type: dependency, job_id: other, enabled: '{{{{ n }}}}'}}",
             "3:59 unknown_name: 'n' is not defined"),
        ],
    )  # fmt: skip
    def test_a_template_that_cannot_be_filled_in_is_an_error(self, text: str, expected: str) -> None:
        (finding,) = checked(f"params: [date]\n{text}\n", other=NO_OP)
        assert said(finding) == expected
        assert finding.severity == "error"

    def test_names_that_are_there_or_forgiven_are_fine(self) -> None:
        text = "{{ date }} {{ run_id }} {{ job_id }} {{ schedule_time }} {{ Date(date) + 1 }} {{ x|default(1) }}"
        assert checked(f"params: [date]\nprogram: {{type: shell, command: '{text}'}}\n") == []

    def test_a_slip_is_answered_with_what_was_meant(self) -> None:
        (finding,) = checked("params: [date]\nprogram: {type: shell, command: '{{ dat }}'}\n")
        assert finding.help == "Did you mean date?"


class TestDependencies:
    def test_a_job_that_is_not_there_is_an_error(self) -> None:
        (finding,) = checked(f"{NO_OP}condition:\n- {{type: dependency, job_id: extrat}}\n", extract=NO_OP)
        assert said(finding) == "3:30 unknown_job: no job 'extrat'"
        assert finding.help == "Did you mean extract?"

    def test_a_job_with_errors_of_its_own_is_there(self) -> None:
        assert [f.path for f in checked(f"{NO_OP}condition: {{type: dependency, job_id: b}}\n", b="x")] == ["b.yaml"]

    def test_another_repository_is_a_warning(self) -> None:
        (finding,) = checked(f"{NO_OP}condition: {{type: dependency, job_id: //other/job}}\n")
        assert (finding.code, finding.severity) == ("other_repo", "warning")

    def test_another_repository_is_judged_the_same_whatever_the_prefix(self) -> None:
        files = {
            "a.yaml": f"{NO_OP}condition: {{type: dependency, job_id: //t/b, args: {{x: 1}}}}\n",
            "t/b.yaml": NO_OP,
        }
        assert found(files) == found(files, "t") == found(files, "u")
        assert len(found(files)) == 1

    def test_ids_are_those_of_the_own_repository_whatever_its_prefix(self) -> None:
        files = {"a.yaml": f"{NO_OP}condition: {{type: dependency, job_id: b}}\n", "b.yaml": NO_OP}
        assert found(files) == found(files, "team") == []

    def test_args_must_be_those_of_the_job_waited_for(self) -> None:
        (unknown, missing) = checked(
            f"params: [date]\n{NO_OP}condition:\n- {{type: dependency, job_id: up, args: {{x: 1, n: 1}}}}\n"
            "- {type: dependency, job_id: up}\n",
            up=f"params: [date, n]\n{NO_OP}",
        )
        assert said(unknown) == "4:41 unknown_arg: the job up has no param 'x'"
        assert said(missing) == "5:3 missing_arg: up needs the args n"

    def test_what_is_only_known_at_the_run_is_not_judged(self) -> None:
        assert checked(f"params: [x]\n{NO_OP}condition: {{type: dependency, job_id: 'a/{{{{ x }}}}'}}\n") == []
        assert checked(f"{NO_OP}condition: {{type: dependency, job_id: gone, enabled: false}}\n") == []

    @pytest.mark.parametrize("args", ["{}", "{date: '{{ date }}'}", "{date: '{{date}}', n: '{{- n -}}'}"])
    def test_waiting_for_oneself_is_an_error(self, args: str) -> None:
        (finding,) = checked(f"params: [date, n]\n{NO_OP}condition: {{type: dependency, job_id: job, args: {args}}}\n")
        assert finding.code == "self_dependency"

    def test_waiting_for_ones_yesterday_is_fine(self) -> None:
        args = "{date: '{{ Date(date) - 1 }}'}"
        assert checked(f"params: [date]\n{NO_OP}condition: {{type: dependency, job_id: job, args: {args}}}\n") == []


class TestOnePushAfterAnother:
    FILES = {  # noqa: RUF012
        "a.yaml": f"params: [x]\n{NO_OP}condition: {{type: dependency, job_id: b}}\npool: db\n",
        "b.yaml": f"params: [x]\n{NO_OP}action: {{type: email, to: '{{{{ nope }}}}@host'}}\n",
        "c.yaml": f"{NO_OP}successors: [a, d]\n",
        "d.yaml": f"{NO_OP}successors: [c, gone]\nretry: {{count: 1, delay: 9, max_delay: 1}}\n",
        "apsis.yaml": "pools: {db: 1}\n",
    }

    @pytest.mark.parametrize(
        "changed",
        [
            {},
            {"b.yaml": NO_OP},
            {"b.yaml": f"params: [x, y]\n{NO_OP}"},
            {"gone.yaml": NO_OP},
            {"d.yaml": NO_OP},
            {"apsis.yaml": "pools: {}\n"},
            {"apsis.yaml": "types: {nothing: no-op}\npools: {db: 1}\n"},
            {"a.yaml": "program: nonsense"},
        ],
    )
    def test_what_is_found_is_what_a_first_look_finds(self, changed: dict[str, str]) -> None:
        loader = Loader("")
        check(load(self.FILES, loader=loader))
        files = {**self.FILES, **changed}
        first = Files(files)
        judged = Loader("").load(REVISION, first.tree, first.read, judge)
        assert check(load(files, loader=loader)) == check(load(files)) == check(judged)
        assert check(judged)

    def test_only_the_files_that_changed_are_judged(self) -> None:
        loader, seen = Loader(""), list[str]()

        def noting(job: Job) -> Judged:
            seen.append(job.job_id)
            return judge(job)

        for files in (self.FILES, {**self.FILES, "b.yaml": NO_OP}, self.FILES | {"apsis.yaml": "pools: {}\n"}):
            made = Files(files)
            check(loader.load(REVISION, made.tree, made.read, noting))
        assert seen == ["a", "b", "c", "d", "b", "b"]
