"""Memory that is given back; where glibc is not, both do nothing."""

import ctypes
from pathlib import Path

import pytest

from apsis.service.heap import give_back, share_one_heap

BLOCKS = 4_000
BLOCK_BYTES = 8_192


def _resident_kib() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives back")
def test_what_lies_free_between_what_is_kept_is_given_back() -> None:
    share_one_heap()
    blocks = [bytearray(BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::8]
    full = _resident_kib()
    del blocks
    give_back()
    assert len(kept) == BLOCKS // 8
    assert full - _resident_kib() > BLOCKS * BLOCK_BYTES // 1024 // 2
