import gc
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apsis.domain.errors import BadRequest
from apsis.domain.jobset import difference
from apsis.domain.revision import Revision
from apsis.spec.blob import blob_id
from apsis.spec.load import Loader, inline_job
from tests.unit.spec.files import NO_OP, NOON, REVISION, Files, load, said


def test_a_job_is_its_path_and_knows_where_it_is_written() -> None:
    loaded = load({"etl/daily load.yaml": NO_OP, "x.yml": NO_OP})
    assert set(loaded.jobs.jobs) == {"etl/daily load", "x"}
    source = loaded.jobs.jobs["etl/daily load"].source
    assert (source.repo, source.revision, source.path, source.settings) == ("", REVISION.id, "etl/daily load.yaml", "")
    assert source.blob == blob_id(NO_OP.encode())


def test_blob_ids_are_those_of_git() -> None:
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_prefix_stands_before_every_id() -> None:
    loaded = load({"a.yaml": f"job_id: a\n{NO_OP}"}, repo="team")
    assert set(loaded.jobs.jobs) == {"team/a"}
    assert loaded.jobs.jobs["team/a"].source.repo == "team"


def test_what_is_no_job_file_is_left_alone() -> None:
    loaded = load(
        {"README.md": "x", ".ci.yaml": "x", ".github/w.yaml": "x", "a/.b/c.yaml": "x", "a.json": "{}", "apsis.yaml": ""}
    )
    assert (loaded.jobs.jobs, loaded.findings, set(loaded.texts)) == ({}, (), {"apsis.yaml"})


def test_a_bad_file_costs_its_job_only() -> None:
    loaded = load({"bad.yaml": "program: 1", "binary.yaml": b"\xff\0", "good.yaml": NO_OP})
    assert set(loaded.jobs.jobs) == {"good"}
    assert [finding.path for finding in loaded.findings] == ["bad.yaml", "binary.yaml"]
    assert set(loaded.texts) == {"bad.yaml", "binary.yaml", "good.yaml"}


def test_two_files_cannot_be_one_job() -> None:
    loaded = load({"a.yaml": NO_OP, "a.yml": NO_OP})
    assert [(f.path, f.code) for f in loaded.findings] == [("a.yml", "duplicate_job")]
    assert loaded.jobs.jobs["a"].source.path == "a.yaml"


@pytest.mark.parametrize(
    "path", ["-/a.yaml", "a/-.yaml", "a\tb.yaml", " a.yaml", "a /b.yaml", "a\nb.yaml", "é\u200b\n.yaml"]
)
def test_paths_that_cannot_be_ids_are_refused(path: str) -> None:
    assert [f.code for f in load({path: NO_OP}).findings] == ["bad_path"]


def test_unchanged_files_are_neither_read_nor_parsed() -> None:
    loader, files = Loader(""), {"a.yaml": NO_OP, "b.yaml": "program: bad", "apsis.yaml": "calendars: {pay: Fri}"}
    first = load(files, loader=loader)
    made = Files({**files, "c.yaml": "metadata: {}\n" + NO_OP})
    second = loader.load(Revision("2" * 40, None, NOON, ""), made.tree, made.read)
    assert made.asked == [made.tree["c.yaml"]]
    assert second.jobs.jobs["a"].source.revision == "2" * 40
    assert second.findings == first.findings
    assert difference(first.jobs.jobs, second.jobs.jobs).added == ("c",)
    assert difference(first.jobs.jobs, second.jobs.jobs).changed == ()


def test_a_job_is_loaded_anew_when_settings_that_matter_change() -> None:
    loader = Loader("")
    job = "program: {type: no-op}\nschedule: {type: daily, tz: UTC, daytime: 9:00, calendar: pay}\n"
    first = load({"a.yaml": job, "apsis.yaml": "calendars: {pay: Fri}"}, loader=loader)
    same = load({"a.yaml": job, "apsis.yaml": "# a comment\ncalendars: {pay: fri}"}, loader=loader)
    other = load({"a.yaml": job, "apsis.yaml": "calendars: {pay: Thu}"}, loader=loader)
    assert difference(first.jobs.jobs, same.jobs.jobs).changed == ()
    assert difference(same.jobs.jobs, other.jobs.jobs).changed == ("a",)


def test_a_file_that_moves_is_another_job() -> None:
    loader = Loader("")
    load({"a.yaml": NO_OP}, loader=loader)
    loaded = load({"b.yaml": NO_OP}, loader=loader)
    assert set(loaded.jobs.jobs) == {"b"}
    assert loaded.jobs.jobs["b"].source.path == "b.yaml"


def test_many_files_are_loaded_without_the_collector_which_is_back_afterwards() -> None:
    loaded = load({f"{n}.yaml": NO_OP for n in range(200)})
    assert len(loaded.jobs.jobs) == 200
    assert gc.isenabled()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=200)
def test_no_file_does_worse_than_a_finding(data: bytes) -> None:
    loaded = load({"a.yaml": data, "apsis.yaml": data, "ok.yaml": NO_OP})
    assert loaded.findings


keys = st.sampled_from(
    ["job_id", "params", "program", "schedule", "condition", "conditions", "metadata", "type", "argv", "args", "x",
     "daytime", "tz", "calendar", "labels", "states", "exist", "enabled", "duration", "timeout", "interval"]
)  # fmt: skip
leaves = st.sampled_from(
    ["no-op", "process", "shell", "daily", "interval", "dependency", "", "{{ x }}", "{{", 1, -1.5, True, None, [], {}]
)
shapes = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


@given(st.dictionaries(keys, shapes, max_size=6))
def test_no_shape_does_worse_than_a_finding(data: dict[str, object]) -> None:
    loaded = load({"a.yaml": json.dumps(data)})
    assert loaded.findings or loaded.jobs.jobs
    assert all(finding.line for finding in loaded.findings)
    try:
        inline_job(data, "adhoc")
    except BadRequest as error:
        assert error.message  # noqa: PT017 - it need not be one


class TestSettings:
    def test_jobs_can_be_in_folders(self) -> None:
        loaded = load(
            {"apsis.yaml": "jobs: [jobs/, more/x]", "jobs/a.yaml": NO_OP, "more/x/b.yaml": NO_OP, "c.yaml": "?"}
        )
        assert (set(loaded.jobs.jobs), loaded.findings) == ({"a", "b"}, ())

    def test_types_can_have_own_names(self) -> None:
        loaded = load(
            {
                "apsis.yaml": "types: {bash: shell, every: interval}",
                "a.yaml": "program: {type: bash, command: x}\nschedule: [{type: every, interval: 1h}]\n",
            }
        )
        assert loaded.findings == ()
        assert [schedule.describe() for schedule in loaded.jobs.jobs["a"].schedules] == ["every 1h"]

    def test_calendars_can_have_names(self) -> None:
        loaded = load(
            {
                "apsis.yaml": "calendars: {pay: [wed, Fri]}",
                "a.yaml": f"{NO_OP}schedule: {{type: daily, tz: UTC, daytime: 9:00, calendar: pay}}\n",
            }
        )
        assert [s.describe() for s in loaded.jobs.jobs["a"].schedules] == ["daily at 09:00 UTC on pay"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("job: x", "1:1 unknown_key: unknown key 'job'"),
            ("jobs: nowhere", "1:7 bad_root: no folder 'nowhere' with files"),
            ("jobs: [../up]", "1:8 bad_root: '../up' leads out of the repository"),
            ("types: {x: shel}", "1:12 unknown_type: unknown type 'shel'"),
            ("types: {shell: process}", "1:9 bad_alias: 'shell' is a type already"),
            ("calendars: {x: mo}", "1:16 bad_calendar: 'mo' is no calendar: use all, none, weekdays like Mon-Fri or"
             " mon,wed, or a name from apsis.yaml"),
            ("- x", "1:1 bad_type: apsis.yaml is a mapping of keys"),
            ("a: [", "2:1 yaml: not YAML: did not find expected node content"),
        ],
    )  # fmt: skip
    def test_mistakes_are_said_and_the_rest_still_counts(self, text: str, expected: str) -> None:
        loaded = load({"apsis.yaml": text, "a.yaml": NO_OP})
        assert [said(finding) for finding in loaded.findings] == [expected]
        if "jobs" not in text:
            assert set(loaded.jobs.jobs) == {"a"}

    def test_one_bad_calendar_does_not_hide_the_others(self) -> None:
        loaded = load(
            {
                "apsis.yaml": "calendars: {bad: mo, pay: Fri}",
                "a.yaml": f"{NO_OP}schedule: {{type: daily, tz: UTC, daytime: 9:00, calendar: pay}}\n",
            }
        )
        assert [finding.code for finding in loaded.findings] == ["bad_calendar"]
        assert set(loaded.jobs.jobs) == {"a"}


class TestInline:
    def test_a_job_can_be_given_by_value(self) -> None:
        job = inline_job(
            {"params": ["x"], "program": {"type": "process", "argv": ["echo", 1, True, "{{ x }}"]}}, "adhoc"
        )
        assert (job.job_id, job.params) == ("adhoc", ("x",))
        assert job.template.program["argv"] == ["echo", "1", "true", "{{ x }}"]
        assert (job.source.revision, job.source.path) == ("", "")
        assert json.loads(job.text)["params"] == ["x"]

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            ({}, "the key 'program' is missing"),
            ({"program": {"type": "process", "argv": ["a", {}]}}, r"program.argv\[1\]: this must be text"),
            ({"program": {"type": "no-op", "x": 1}}, "program.x: unknown key 'x'"),
            ({"program": {"type": "no-op"}, "job_id": "other"}, "job_id: job_id is 'other'"),
            ({"program": {"type": "shell", "command": "\ud800"}}, "half a character"),
            ({"program": {"type": "shell", "command": "\0"}}, "NUL"),
            ({"program": {"type": "no-op"}, "metadata": {"x": list(range(30_000))}}, "too large"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_place(self, data: dict[str, object], words: str) -> None:
        with pytest.raises(BadRequest, match=words):
            inline_job(data, "adhoc")

    def test_depth_is_bounded(self) -> None:
        data: dict[str, object] = {}
        for _ in range(5_000):
            data = {"x": data}
        with pytest.raises(BadRequest, match="too large"):
            inline_job({"program": {"type": "no-op"}, "metadata": data}, "adhoc")
