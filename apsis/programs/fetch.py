"""An ended process's output on its way from the agent to where it is kept."""

import hashlib

from apsis.agents.protocol import Result
from apsis.domain.run import Output
from apsis.lib.mask import Mask, masked
from apsis.programs.attached import Attached
from apsis.store.output_files import INLINE_LIMIT, OutputFiles


async def fetch(
    outputs: OutputFiles, run_id: str, attempt: int, process: Attached, result: Result, mask: Mask
) -> Output:
    """Return the output, masked: small ones whole, large ones written to the file store.

    Raises AgentError if the agent does not give it, StoreError if it cannot be kept.
    """
    chunks = process.chunks(0, result.length)
    if result.length > INLINE_LIMIT:
        length, sha256 = await outputs.write(run_id, attempt, masked(chunks, mask))
        return Output(length, sha256, None)
    data = result.output
    if data is None or len(data) != result.length:
        data = b"".join([chunk async for chunk in chunks])
    data = mask.mask(data)
    return Output(len(data), hashlib.sha256(data).hexdigest(), data)
