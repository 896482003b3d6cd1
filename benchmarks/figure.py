"""One measured figure."""

from dataclasses import dataclass


@dataclass
class Figure:
    """`target` is the most (or with `at_least` the least) that is good; `ratio` is to `limit`, measured beside."""

    name: str
    work: str
    value: float
    unit: str
    target: float
    ratio: float
    limit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def row(self) -> str:
        sign = "≥" if self.at_least else "≤"
        met = "met" if self.met else "MISSED"
        figure = f"{self.value:,.3g} {self.unit}" if self.value < 100 else f"{self.value:,.0f} {self.unit}"
        cells = (self.name, self.work, figure, f"{sign} {self.target:,g}", f"{self.ratio:.3g}", self.limit, met)
        return f"| {' | '.join(cells)} |"
