"""What is said about the keys that Apsis 2.4 has not: each slip once, at its place; and what passes."""

import pytest

from apsis.domain.policy import ALWAYS, CatchUp
from tests.unit.spec.files import NO_OP, findings_of, job_of, load, said

SHELL = "program: {type: shell, command: x, "
HOURLY = f"{NO_OP}schedule: {{type: interval, interval: 1h, "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HOURLY}jitter: 2 days}}\n", "2:50 bad_duration: this is at most 1d"),
        (f"{HOURLY}jitter: -1}}\n", "2:50 bad_duration: -1 is not a duration between 0 and 100 years"),
        (f"{HOURLY}catch_up: last}}\n", "2:52 bad_value: 'last' is not allowed here"),
        (f"{HOURLY}max_age: 0}}\n", "2:51 bad_duration: this is at least 1s"),
        (f"{NO_OP}limits: {{running: 0}}\n", "2:19 bad_duration: this is at least 0.001s"),
        (f"{NO_OP}limits: {{runing: 1}}\n", "2:10 unknown_key: unknown key 'runing'"),
        (f"{NO_OP}limits: 5\n", "2:9 bad_type: this must be a mapping, not a number"),
        (f"{NO_OP}pool: {{name: a, slots: 0}}\n", "2:24 bad_value: from 1 to 10000 is allowed here"),
        (f"{NO_OP}pool: {{name: a, slots: 1.5}}\n", "2:24 bad_type: this must be a whole number, not a number"),
        (f"{NO_OP}pool: [a, b c]\n",
         "2:11 bad_name: the name of a pool has letters, digits, '_', '.' and '-', not 'b c'"),
        (f"{NO_OP}pool: [a, {{name: a}}]\n", "2:11 both: the pool 'a' is named twice"),
        (f"{NO_OP}pool: [{', '.join('abcdefghijk')}]\n", "2:7 too_many: at most 10 are allowed here"),
        (f"{NO_OP}pool: {{slots: 1}}\n", "2:7 missing_key: the key 'name' is missing"),
        (f"{NO_OP}pool: {{name: a, policy: wiat}}\n", "2:25 bad_value: 'wiat' is not allowed here"),
        (f"{NO_OP}retry: 0\n", "2:8 bad_value: from 1 to 100 is allowed here"),
        (f"{NO_OP}retry: 101\n", "2:8 bad_value: from 1 to 100 is allowed here"),
        (f"{NO_OP}retry: true\n", "2:8 bad_type: this must be a mapping, not true or false"),
        (f"{NO_OP}retry: {{delay: 1}}\n", "2:8 missing_key: the key 'count' is missing"),
        (f"{NO_OP}retry: {{count: 1, factor: 11}}\n", "2:27 bad_value: from 1 to 10 is allowed here"),
        (f"{NO_OP}retry: {{count: 1, factor: .nan}}\n", "2:27 bad_value: from 1 to 10 is allowed here"),
        (f"{NO_OP}retry: {{count: 1, on: [failed]}}\n", "2:24 bad_value: 'failed' is not allowed here"),
        (f"{NO_OP}retry: {{count: 1, exit_codes: 0}}\n", "2:31 bad_value: from 1 to 255 is allowed here"),
        (f"{NO_OP}deadlines: {{longer_than: 0.5x}}\n", "2:26 bad_value: from 1x to 100x is allowed here"),
        (f"{NO_OP}deadlines: {{longer_than: nanx}}\n", "2:26 bad_value: from 1x to 100x is allowed here"),
        (
            f"{NO_OP}deadlines: {{longer_than: twox}}\n",
            "2:26 bad_duration: 'twox' is neither a duration like 30 min nor a factor like 2x",
        ),
        (f"{NO_OP}deadlines: {{start_by: '{{{{ x }}}}'}}\n", "2:23 bad_duration: '{{ x }}' is not a duration: write"
         " 30s, 5 min, 1.5h or 1h 30m"),
        (f"{NO_OP}condition: {{type: max_running, count: 0}}\n", "2:39 bad_value: from 1 to 10000 is allowed here"),
        (f"{NO_OP}condition: {{type: skip_duplicate, timeout: 1}}\n", "2:35 unknown_key: unknown key 'timeout'"),
        (
            f"{NO_OP}condition: {{type: skip_duplicate, check_states: [running, success]}}\n",
            "2:59 bad_state: only unfinished runs are looked at, and a success run is over",
        ),
        (
            f"{NO_OP}condition: {{type: skip_duplicate, target_state: running}}\n",
            "2:49 bad_state: a run cannot end as running",
        ),
        (f"{NO_OP}condition: {{type: const}}\n", "2:12 missing_key: the key 'value' is missing"),
        (f"{NO_OP}condition: {{type: file, path: a/b}}\n",
         "2:31 bad_agent_path: 'a/b' does not begin with /: an agent has no folder to start from"),
        (f"{NO_OP}condition: {{type: file, path: /a, every: 0.5}}\n", "2:42 bad_duration: this is at least 1s"),
        (f"{NO_OP}condition: {{type: command}}\n", "2:12 missing_key: the key 'argv' is missing"),
        (f"{NO_OP}condition: {{type: http, url: 'ftp://x'}}\n",
         "2:30 bad_url: 'ftp://x' is no URL: write https://host/path"),
        (f"{NO_OP}condition: {{type: http, url: http://x, status: [200, 99]}}\n",
         "2:54 bad_value: from 100 to 599 is allowed here"),
        (f"{NO_OP}condition: {{type: const, value: true, on_timeout: stop}}\n",
         "2:51 bad_value: 'stop' is not allowed here"),
        (f"{NO_OP}action: {{type: mail}}\n", "2:16 unknown_type: unknown action type 'mail'"),
        (f"{NO_OP}action: {{job_id: x}}\n", "2:9 missing_type: the key 'type' is missing"),
        (f"{NO_OP}action: {{type: email, to: [a@b, c]}}\n",
         "2:33 bad_address: 'c' is no e-mail address: write one name@host for each"),
        (f"{NO_OP}action: {{type: email, to: 'a@b, c@d'}}\n",
         "2:27 bad_address: 'a@b, c@d' is no e-mail address: write one name@host for each"),
        (f"{NO_OP}action: {{type: email, to: a@b, subject: \"x\\nBcc: y\"}}\n",
         "2:41 bad_text: this must be a single line"),
        (f"{NO_OP}action: {{type: webhook, url: http://x, secret: plain}}\n",
         "2:48 bad_type: this must be a mapping, not text"),
        (f"{NO_OP}action: {{type: webhook, url: {{secret: a b}}}}\n",
         "2:39 bad_name: the name of a secret has letters, digits, '_', '.' and '-', not 'a b'"),
        (f"{NO_OP}action: {{type: schedule, job_id: x, if: {{state: error}}}}\n",
         "2:42 unknown_key: unknown key 'state'"),
        (f"{NO_OP}action: {{type: schedule, job_id: x, if: {{states: eror}}}}\n", "2:50 bad_state: no state 'eror'"),
        (f"{NO_OP}action: {{type: schedule, job_id: x, if: {{attempt: 0}}}}\n",
         "2:51 bad_value: from 1 to 101 is allowed here"),
        (f"{NO_OP}action: {{type: schedule, job_id: x, if: {{deadlines: [end_by]}}}}\n",
         "2:54 bad_value: 'end_by' is not allowed here"),
        (f"{NO_OP}action: {{type: schedule, job_id: x}}\nactions: {{type: schedule, job_id: x}}\n",
         "3:1 both: action and actions are the same: use one"),
        ("program: {type: archive}\n", "1:10 missing_key: the key 'age' is missing"),
        ("program: {type: archive, age: 1, chunk_size: 1001}\n", "1:46 bad_value: from 1 to 1000 is allowed here"),
        ("program: {type: vacuum, path: x}\n", "1:25 unknown_key: unknown key 'path'"),
        ("program: {type: stats, path: /etc/x.json}\n",
         "1:30 bad_state_path: '/etc/x.json' is no path below the server's state directory"),
        ("program: {type: stats, path: a/../../x.json}\n",
         "1:30 bad_state_path: 'a/../../x.json' is no path below the server's state directory"),
        ("program: {type: stats, path: ./agent/x.json}\n",
         "1:30 bad_state_path: './agent/x.json': the folders agent, mirrors, outputs are the server's own"),
        ("program: {type: stats, path: token}\n",
         "1:30 bad_state_path: 'token' could be one of the server's own files"),
        ("program: {type: archive, age: 1, path: ./apsis.db}\n",
         "1:40 bad_state_path: './apsis.db' is no archive's path"),
        (f"{SHELL}env: {{set: {{A B: 1}}}}}}\n", "1:48 bad_variable: a variable is a name of letters, digits and _, not"
         " 'A B'"),
        (f"{SHELL}env: {{set: {{APSIS_RUN_ID: 1}}}}}}\n",
         "1:48 bad_variable: APSIS_RUN_ID: the variables that begin with APSIS_ are set by Apsis"),
        (f"{SHELL}env: {{inherit: [A, 1B]}}}}\n",
         "1:55 bad_variable: a variable is a name of letters, digits and _, not '1B'"),
        (f"{SHELL}env: {{set: {{A: {{secret: ''}}}}}}}}\n",
         "1:60 bad_name: the name of a secret has letters, digits, '_', '.' and '-', not ''"),
        (f"{SHELL}env: {{set: {{A: [1]}}}}}}\n", "1:51 bad_type: this must be text, not a list"),
        ("program: {type: shell, command: {secret: a}}\n", "1:33 secret: a secret cannot stand here"),
        ("program: {type: process, argv: [a, {secret: a}]}\n", "1:36 secret: a secret cannot stand here"),
        (f"{NO_OP}condition: {{type: http, url: {{secret: a}}}}\n", "2:30 secret: a secret cannot stand here"),
        (f"{HOURLY}args: {{a: {{secret: b}}}}}}\n", "2:52 secret: a secret cannot stand here"),
        (f"{NO_OP}action: {{type: email, to: {{secret: a}}}}\n", "2:27 secret: a secret cannot stand here"),
    ],
    ids=lambda value: value[-45:] if isinstance(value, str) else None,
)  # fmt: skip
def test_each_slip_is_said_once_at_its_place(text: str, expected: str) -> None:
    assert [said(finding) for finding in findings_of(text)] == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{NO_OP}condition: {{type: command, command: ls}}\n", ["argv", "command"]),
        (f"{NO_OP}action: {{type: webhook, url: {{sekret: a}}}}\n", ["secret", "sekret"]),
        (f"{NO_OP}successors: [x, {{job: y}}]\n", ["job_id", "job"]),
    ],
)
def test_a_wrong_key_for_one_that_must_be_there_is_both_said(text: str, expected: list[str]) -> None:
    missing, unknown = findings_of(text)
    assert (missing.code, unknown.code) == ("missing_key", "unknown_key")
    assert [finding.message.split("'")[1] for finding in (missing, unknown)] == expected


def test_more_than_fifty_actions_are_too_many() -> None:
    actions = "".join("- {type: schedule, job_id: x}\n" for _ in range(51))
    (finding,) = findings_of(f"{NO_OP}actions:\n{actions}")
    assert finding.code == "too_many"


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        (f"{NO_OP}limits: {{runing: 1}}\n", "Did you mean running?"),
        (f"{NO_OP}retry: {{count: 1, on: [failed]}}\n", "Did you mean failure?"),
        (f"{NO_OP}pool: [a, {{name: b, slot: 1}}]\n", "Did you mean slots?"),
        (f"{NO_OP}action: {{type: emial, to: a@b}}\n", "Did you mean email?"),
        (f"{NO_OP}action: [{{type: webhook, url: http://x, fromat: slack}}]\n", "Did you mean format?"),
        (f"{NO_OP}action: {{type: webhook, url: http://x, if: {{stats: error}}}}\n", "Did you mean states?"),
        (f"{SHELL}env: {{sets: {{}}}}}}\n", "Did you mean set?"),
        ("program: {type: archve, age: 1}\n", "Did you mean archive?"),
        ("program: {type: shell, command: {secret: a}}\n", "Secrets are for env.set"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(text: str, help_: str) -> None:
    (finding,) = findings_of(text)
    assert help_ in str(finding.help)


def test_schedules_have_jitter_and_a_way_to_catch_up() -> None:
    job = job_of(
        f"{NO_OP}schedule:\n- {{type: interval, interval: 1h, jitter: 1.5s, catch_up: latest, max_age: 2h}}\n"
        "- {type: daily, tz: UTC, daytime: 9:00, jitter: 5 min, catch_up: none}\n"
        "- {type: interval, interval: 2h}\n"
    )
    assert [schedule.jitter_ms for schedule in job.schedules] == [1_500, 300_000, 0]
    assert [s.catch_up for s in job.schedules] == [CatchUp("latest", 7_200.0), CatchUp("none"), ALWAYS]


class TestSettings:
    def test_pools_have_the_repositorys_prefix(self) -> None:
        files = {"apsis.yaml": "pools: {db: 4, big.one: 100000}\n", "job.yaml": f"{NO_OP}pool: db\n"}
        assert load(files).jobs.pools == {"db": 4, "big.one": 100_000}
        assert load(files, "team").jobs.pools == {"team/db": 4, "team/big.one": 100_000}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("pools: {db: 0}\n", "1:13 bad_value: from 1 to 100000 is allowed here"),
            ("pools: {db: 100001}\n", "1:13 bad_value: from 1 to 100000 is allowed here"),
            ("pools: {a/b: 1}\n", "1:9 bad_name: the name of a pool has letters, digits, '_', '.' and '-', not 'a/b'"),
            ("pools: [db]\n", "1:8 bad_type: this must be a mapping, not a list"),
            ("actions: {type: emial, to: a@b}\n", "1:17 unknown_type: unknown action type 'emial'"),
            ("actions: {type: email}\n", "1:10 missing_key: the key 'to' is missing"),
        ],
    )
    def test_a_slip_is_said_once(self, text: str, expected: str) -> None:
        assert [said(finding) for finding in load({"apsis.yaml": text}).findings] == [expected]

    def test_a_change_of_actions_changes_every_job_and_one_of_pools_none(self) -> None:
        def digest(text: str) -> str:
            return load({"apsis.yaml": text}).settings.digest

        assert digest("pools: {db: 1}\n") == digest("pools: {db: 2}\n") == digest("")
        actions = [f"actions: {{type: email, to: {to}}}\n" for to in ("a@b", "c@d")]
        assert len({digest(text) for text in ("", *actions)}) == 3

    def test_calendars_alone_give_the_digest_that_they_gave_before_there_were_pools(self) -> None:
        assert load({"apsis.yaml": "calendars: {workdays: Mon-Fri}\n"}).settings.digest == "cba96c1af872a01a"

    def test_own_names_for_types_are_for_actions_too(self) -> None:
        files = {
            "apsis.yaml": "types: {mail: email}\nactions: {type: mail, to: a@b}\n",
            "job.yaml": f"{NO_OP}action: {{type: mail, to: c@d}}\n",
        }
        loaded = load(files)
        assert loaded.findings == ()
        assert [action["type"] for action in loaded.jobs.jobs["job"].template.actions] == ["email", "email"]
