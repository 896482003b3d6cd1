"""A secret by name. Its value is the server's to know, and only at the moment of use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """Stands where a value is wanted that database, logs, API and disk must not hold: `{secret: NAME}`."""

    secret: str

    def __str__(self) -> str:
        return f"{{secret: {self.secret}}}"
