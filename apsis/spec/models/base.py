"""What every mapping in a job repository is, and the values that several of them have."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from apsis.domain.state import State
from apsis.spec.fields import ArgText, StateName
from apsis.spec.outside import SecretName
from apsis.spec.shorthand import OneOrList

DeadlineName = Literal["start_by", "finish_by", "longer_than"]
States = Annotated[tuple[StateName, ...], Field(min_length=1), OneOrList()]


class Written(BaseModel):
    """A mapping in a job repository: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Secret(Written):
    """A value that only the server knows, by its name in the server's configuration."""

    secret: SecretName


def secret_or_text(value: object) -> str:
    """Tell which of the two a value is."""
    return "as_secret" if isinstance(value, dict | Secret) else "as_text"


TextOrSecret = Annotated[
    Annotated[ArgText, Tag("as_text")] | Annotated[Secret, Tag("as_secret")], Discriminator(secret_or_text)
]

UNFINISHED: Final = tuple(state for state in State if not state.finished)
ENDS: Final = tuple(state for state in State if state.finished)
