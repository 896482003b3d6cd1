import pytest

from apsis.conditions.probes import CommandSucceeds, FileExists, HttpAnswers
from apsis.domain.condition import Answer, Condition, Holds, Polling, Waits
from tests.support.facts import Facts

PROBES: list[Condition] = [
    FileExists("/data/ready"),
    CommandSucceeds(("test", "-e", "a b")),
    HttpAnswers("https://host/ready", (200, 204)),
]


@pytest.mark.parametrize("probe", PROBES)
def test_it_waits_until_it_was_asked(probe: Condition) -> None:
    assert probe.verdict(Facts()) == Waits("not asked yet")


@pytest.mark.parametrize("probe", PROBES)
def test_the_newest_answer_decides(probe: Condition) -> None:
    assert probe.verdict(Facts(newest=Answer(True, "there"))) == Holds()
    assert probe.verdict(Facts(newest=Answer(False, "no file"))) == Waits("no file")
    assert probe.verdict(Facts(newest=Answer(False, "no agent", broken=True))) == Waits("no agent")


@pytest.mark.parametrize("probe", PROBES)
def test_it_depends_on_the_outside_alone(probe: Condition) -> None:
    assert (probe.reads, probe.cap, probe.polling) == ((), None, Polling(30.0, 30.0))


def test_each_says_what_it_looks_for() -> None:
    assert [probe.describe() for probe in PROBES] == [
        "file /data/ready exists",
        "command test -e 'a b' succeeds",
        "https://host/ready answers 200 or 204",
    ]


def test_how_often_it_is_asked_is_its_own() -> None:
    assert FileExists("/a", every_s=5.0, answer_within_s=2.0).polling == Polling(5.0, 2.0)
