"""People who ask for runs all the time, whether the server lives or not, and remember what they were promised."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.crash.jobs import ASKED

BETWEEN_S = 0.1
"""Between two questions: enough to have some under way at every kill."""


class Customers:
    """One thread that posts runs; `promised` are the ids that it got in answers."""

    def __init__(self, url: str, rng: random.Random) -> None:
        self.promised: list[str] = []
        self.refused: list[str] = []
        self._url = f"{url}/api/v1/runs"
        self._rng = rng
        self._stop = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask while the context is open."""
        thread = threading.Thread(target=self._ask, name="customers")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _ask(self) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(timeout=30, limits=limits) as http:
            while not self._stop.wait(BETWEEN_S):
                body = {"job_id": ASKED, "args": {"seconds": self._rng.choice(["0", "0", "0", "1", "2"])}}
                try:
                    answer = http.post(self._url, json=body)
                except httpx.TransportError:
                    continue  # the server is gone; it may have made the run, but has not said so
                if answer.status_code == 201:
                    self.promised.append(answer.json()["run_id"])
                else:
                    self.refused.append(f"{answer.status_code}: {answer.text}")
