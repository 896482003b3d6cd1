"""What a process uses, as the kernel counts it."""

import os
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Usage:
    """Memory and CPU of a process."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")

    @property
    def rss_mib(self) -> float:
        """Resident memory, in MiB."""
        lines = (self._proc / "status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmRSS"].split()[0]) / 1024

    @property
    def cpu_s(self) -> float:
        """CPU time of all its threads so far, to 10 ms."""
        return self._ticks(11, 12) / TICKS

    @property
    def children_cpu_s(self) -> float:
        """CPU time of the children that have ended."""
        return self._ticks(13, 14) / TICKS

    def _ticks(self, *fields: int) -> int:
        stat = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return sum(int(stat[field]) for field in fields)
