"""What is said about a job file that is not right: one finding for each thing, at its place, with what to do."""

import pytest

from apsis.spec.yaml import MAX_BYTES
from tests.unit.spec.files import NO_OP, findings_of, job_of, load, said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("program: {type: no-op}\nprogam: 1\n", ["2:1 unknown_key: unknown key 'progam'"]),
        ("params: []\n", ["1:1 missing_key: the key 'program' is missing"]),
        ("program: 5\n", ["1:10 bad_type: this must be a mapping, not a number"]),
        ("program: {}\n", ["1:10 missing_type: the key 'type' is missing"]),
        ("program: {type: shel}\n", ["1:17 unknown_type: unknown program type 'shel'"]),
        ("program: {type: 5}\n", ["1:17 unknown_type: unknown program type a number"]),
        ("program: {type: shell}\n", ["1:10 missing_key: the key 'command' is missing"]),
        ("program: {type: shell, command: [a]}\n", ["1:33 bad_type: this must be text, not a list"]),
        ("program: {type: shell, command: ' '}\n", ["1:33 empty: this cannot be empty"]),
        ("program: {type: process, argv: []}\n", ["1:32 empty: this list cannot be empty"]),
        ("program: {type: process, argv: a b}\n", ["1:32 bad_type: this must be a list, not text"]),
        (
            "program: {type: process, argv: [a, ~]}\n",
            ['1:36 bad_type: a value is missing: write "" for an empty one'],
        ),
        (
            "program: {type: process, argv: [a], timeout: {duration: 5 mins ago}}\n",
            ["1:57 bad_duration: '5 mins ago' is not a duration: write 30s, 5 min, 1.5h or 1h 30m"],
        ),
        ("program: {type: process, argv: [a], timeout: 5}\n", ["1:46 bad_type: this must be a mapping, not a number"]),
        (
            "program: {type: process, argv: [a], stop: {signal: SIGTREM}}\n",
            ["1:52 bad_signal: no signal 'SIGTREM'"],
        ),
        ("program: {type: no-op, success: yes}\n", ["1:33 bad_type: this must be true or false, not text"]),
        (f"{NO_OP}params: [a, b c]\n", ["2:13 bad_param: a param is a name of letters, digits and _, not 'b c'"]),
        (f"{NO_OP}params: [a, a]\n", ["2:13 bad_param: the param 'a' is named twice"]),
        (
            f"{NO_OP}params: run_id\n",
            ["2:9 bad_param: a param cannot be called 'run_id': templates have that name already"],
        ),
        (f"{NO_OP}job_id: other\n", ["2:9 job_id: job_id is 'other', but the file's place says 'job'"]),
        (f"{NO_OP}schedule: {{type: interval, interval: 0}}", ["2:38 bad_duration: this is at least 1s"]),
        (
            f"{NO_OP}schedule:\n- type: weekly\n- {{type: interval}}\n",
            ["3:9 unknown_type: unknown schedule type 'weekly'", "4:3 missing_key: the key 'interval' is missing"],
        ),
        (
            f"{NO_OP}schedule: {{type: daily, tz: New York, daytime: 25:00}}\n",
            [
                "2:29 bad_tz: no time zone 'New York'",
                "2:48 bad_daytime: '25:00' is no daytime: write 9:30 or 09:30:00, from 0:00 to 23:59:59",
            ],
        ),
        (
            f"{NO_OP}schedule: {{type: daily, tz: UTC, daytime: 9, date_shift: 1.5, cal_shift: 999}}\n",
            [
                "2:43 bad_daytime: a daytime is text like 9:30, not a number",
                "2:58 bad_type: this must be a whole number, not a number",
                "2:74 bad_value: from -366 to 366 is allowed here",
            ],
        ),
        (
            f"{NO_OP}condition: {{type: dependency, job_id: 5, states: sucess}}\n",
            ["2:39 bad_type: this must be text, not a number", "2:50 bad_state: no state 'sucess'"],
        ),
        (
            f"{NO_OP}condition:\n- {{type: depend, job: x}}\n- x\n",
            ["3:10 unknown_type: unknown condition type 'depend'", "4:3 bad_type: this must be a mapping, not text"],
        ),
        (
            f"{NO_OP}condition: {{type: dependency, job_id: x}}\nconditions: {{type: dependency, job_id: x}}\n",
            ["3:1 both: condition and conditions are the same: use one"],
        ),
        (f"{NO_OP}metadata: {{labels: [1]}}\n", ["2:21 bad_type: this must be text, not a number"]),
        (f"{NO_OP}metadata: {{x: {{y: [.inf]}}}}\n", ["2:11 bad_value: metadata cannot have an infinite number"]),
        ("[1]\n", ["1:1 bad_type: a job file is a mapping of keys, not a list"]),
        ("just words\n", ["1:1 bad_type: a job file is a mapping of keys, not text"]),
        ("", ["None:None yaml: the file is empty"]),
        ("a: [\n", ["2:1 yaml: not YAML: did not find expected node content"]),
        ("ad_hoc: true\nprogram: {type: no-op}\n", ["1:1 unknown_key: unknown key 'ad_hoc'"]),
        (f"{NO_OP}schedule: {{start: {{}}, stop: {{}}}}\n", ["2:11 missing_type: the key 'type' is missing"]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)  # fmt: skip
def test_each_mistake_is_said_once_at_its_place(text: str, expected: list[str]) -> None:
    assert sorted(said(finding) for finding in findings_of(text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("program: {type: no-op}\nprogam: 1\n", "Did you mean program?"),
        ("program: {type: shel, command: x}\n", "Did you mean shell?"),
        (
            "program: {type: no-op, durration: 1}\n",
            "Did you mean duration?",
        ),
        ("program: {type: shell, command: x, timeout: {duration: 1, sig: x}}\n", "Did you mean signal?"),
        (f"{NO_OP}metadata: {{labels: [2026]}}\n", "Quote it."),
        (f"{NO_OP}schedule: {{type: daily, tz: new york, daytime: 9:00}}\n", "Did you mean America/New_York?"),
        (f"{NO_OP}schedule: {{type: daily, tz: UTC, daytime: 9:00, calendar: wekdays}}\n", "weekdays"),
        (f"{NO_OP}condition: {{type: dependency, job_id: x, exist: [suces]}}\n", "success"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(text: str, help_: str) -> None:
    (finding,) = findings_of(text)
    assert help_ in str(finding.help)


def test_a_finding_shows_its_line() -> None:
    (finding,) = findings_of(f"# first\r\n{NO_OP}foo: 1  # here\n")
    assert (finding.line, finding.column, finding.source) == (3, 1, "foo: 1  # here")
    assert (finding.path, finding.severity) == ("job.yaml", "error")


def test_nobody_reads_more_than_fifty_findings_of_a_file() -> None:
    assert len(findings_of(NO_OP + "".join(f"x{n}: 1\n" for n in range(200)))) == 50


def test_a_file_that_is_too_large_is_named_and_costs_nothing_else() -> None:
    loaded = load({"big.yaml": b"#" * (MAX_BYTES + 1), "small.yaml": NO_OP})
    assert [finding.path for finding in loaded.findings] == ["big.yaml"]
    assert set(loaded.jobs.jobs) == {"small"}


def test_a_job_may_be_as_short_as_its_program() -> None:
    job = job_of(NO_OP)
    assert (job.params, job.schedules, job.description, job.labels, job.template.metadata) == ((), (), None, (), {})


def test_one_stands_for_a_list_of_one_and_null_for_none() -> None:
    job = job_of(
        "params: date\nprogram: {type: no-op}\nschedule: {type: interval, interval: 1h}\ncondition: null\n"
        "metadata: {labels: nightly, owner: {name: Ada}}\n"
    )
    assert (job.params, job.labels) == (("date",), ("nightly",))
    assert [schedule.describe() for schedule in job.schedules] == ["every 1h"]
    assert job.template.metadata == {"labels": "nightly", "owner": {"name": "Ada"}}
    assert job_of(f"{NO_OP}schedule: null\nparams:\nmetadata:\n").schedules == ()


def test_schedules_are_read_with_all_their_keys() -> None:
    job = job_of(
        f"{NO_OP}params: [date, n]\nschedule:\n"
        "- {type: daily, tz: America/New_York, daytime: ['9:30', '17:00:30'], calendar: [mon, wed], date_shift: -1,"
        " cal_shift: 2, enabled: false, args: {n: 1}}\n- {type: interval, interval: 1h 30m, phase: 90}\n"
    )
    daily, interval = job.schedules
    assert daily.describe() == (
        "daily at 09:30, 17:00:30 America/New_York on mon, wed, 2 calendar days later, 1 day earlier"
    )
    assert (daily.enabled, dict(daily.args)) == (False, {"n": "1"})
    assert interval.describe() == "every 1h 30m, 1m 30s past"


def test_args_and_argv_are_text_as_it_is_spelled() -> None:
    job = job_of(
        "params: [a, b, c, d]\nprogram: {type: process, argv: [echo, 010, 1.50, True, 0x1F, 2026-11-24, '']}\n"
        "schedule: {type: interval, interval: 1h, args: {a: 007, b: 1.0, c: true, d: 2026-11-24}}\n"
    )
    assert dict(job.schedules[0].args) == {"a": "007", "b": "1.0", "c": "true", "d": "2026-11-24"}
    assert job.template.program["argv"] == ["echo", "010", "1.50", "True", "0x1F", "2026-11-24", ""]


def test_what_is_written_is_kept_for_showing() -> None:
    job = job_of(
        "program: {type: procstar-shell, command: 'echo {{ run_id }}'}\nschedule: {type: interval, interval: 1 h}\n"
        "conditions: [{type: dependency, job_id: other}]\n",
        {"other.yaml": NO_OP},
    )
    assert job.template.program == {"type": "procstar-shell", "command": "echo {{ run_id }}"}
    assert job.template.schedules == ({"type": "interval", "interval": "1 h"},)
    assert job.template.conditions == ({"type": "dependency", "job_id": "other"},)
