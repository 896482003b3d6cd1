"""The published schemas are those of the code."""

from pathlib import Path

import pytest

from apsis.spec.publish import schemas

SCHEMA = Path(__file__).parents[2] / "schema"


@pytest.mark.parametrize("name", ["job.json", "apsis.json"])
def test_the_committed_schema_is_what_the_models_say(name: str) -> None:
    committed = (SCHEMA / name).read_text(encoding="utf-8")
    assert committed == schemas()[name], "run: python -m apsis.spec.publish schema/"
