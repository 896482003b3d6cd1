"""The Procstar agent protocol without I/O: what is said, and how it stands in a frame.

A frame is a MessagePack map with a `type` (or several: see `frames`). Between the two ends, `Agent` and server:

    Register ─▶                     the agent says who it is and which processes it has
             ◀─ Registered          within 10 s, or the agent tries again
    ProcStartRequest                ProcResult each, or RequestError
    ProcidListRequest               ProcidList
    ProcResultRequest               ProcResult or ProcUnknown
    ProcSignalRequest               nothing, ProcUnknown or RequestError
    ProcFdDataRequest               ProcFdData, ProcUnknown or RequestError
    ProcDeleteRequest               ProcDelete, ProcUnknown or RequestError
    ProcResult, ShutDown ─▶         unasked, when a process starts or ends, and when the agent is going
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgpack

from apsis.agents.record import Misfit, ProtocolError, decoder, plain

ShutdownState = Literal["active", "idling", "done"]
ProcState = Literal["running", "terminated", "error"]

STDOUT: Final = "stdout"

OUTPUT_WITH_END: Final = "output_with_end"

FDS: Final[Any] = [
    ["stdin", {"null": {"flags": "Default"}}],
    [STDOUT, {"capture": {"mode": "tempfile", "encoding": None, "attached": False}}],
    ["stderr", {"dup": {"fd": 1}}],
]
"""How every program of ours stands to the outside: no input, one output in a file that is read by offset."""


@dataclass(frozen=True, slots=True)
class Conn:
    """Who connects. `conn_id` is the same as long as the agent has the same processes."""

    conn_id: str
    group_id: str
    restricted_exe: str | None = None


@dataclass(frozen=True, slots=True)
class Proc:
    """The agent's own process."""

    pid: int
    hostname: str
    ppid: int | None = None
    uid: int | None = None
    euid: int | None = None
    username: str | None = None
    gid: int | None = None
    egid: int | None = None
    groupname: str | None = None


@dataclass(frozen=True, slots=True)
class Env:
    """A program's environment: which of the agent's variables it inherits, and more; None unsets."""

    inherit: bool | tuple[str, ...] = False
    vars: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start. An agent refuses fields that it does not know."""

    argv: tuple[str, ...]
    env: Env = field(default_factory=Env)
    fds: Any = field(default_factory=lambda: FDS)


@dataclass(frozen=True, slots=True)
class Times:
    """When a process started and ended, as ISO 8601; `elapsed` in seconds."""

    start: str | None = None
    now: str | None = None
    stop: str | None = None
    elapsed: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a process ended: one of exit code and signal."""

    status: int
    exit_code: int | None = None
    signum: int | None = None
    signal: str | None = None
    core_dump: bool = False


@dataclass(frozen=True, slots=True)
class Rusage:
    """What a process used: seconds of CPU, bytes of memory."""

    utime: float
    stime: float
    maxrss: int


@dataclass(frozen=True, slots=True)
class Fd:
    """A captured file descriptor: `detached` output is read by offset."""

    type: str
    length: int | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an agent knows of a process. `errors` say in words why one could not be started, or was lost.

    `output` is our extension OUTPUT_WITH_END: the whole output, if it is small, with the news of a process's end.
    """

    state: ProcState
    errors: tuple[str, ...] = ()
    pid: int | None = None
    times: Times = field(default_factory=Times)
    status: Status | None = None
    rusage: Rusage | None = None
    fds: Mapping[str, Fd | None] = field(default_factory=dict)
    output: bytes | None = None

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.state == "running"

    @property
    def length(self) -> int:
        """How many bytes of output there are."""
        output = self.fds.get(STDOUT)
        return 0 if output is None else output.length or 0


@dataclass(frozen=True, slots=True)
class Register:
    """Agent: here I am. `extensions` are what it does beyond Procstar; a server that knows none passes them over."""

    conn: Conn
    proc: Proc
    proc_ids: tuple[str, ...] = ()
    access_token: str = ""
    shutdown_state: ShutdownState = "active"
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """Server: welcome. `extensions` are those of the agent's that the server knows too, if there are any."""

    extensions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ProcStartRequest:
    """Server: start these, unless they were started before."""

    specs: Mapping[str, Spec]


@dataclass(frozen=True, slots=True)
class ProcResult:
    """Agent: what is known of a process."""

    proc_id: str
    res: Result


@dataclass(frozen=True, slots=True)
class RequestError:
    """Agent: the request `msg` cannot be done, in words."""

    msg: Mapping[str, Any]
    err: str


@dataclass(frozen=True, slots=True)
class ProcidListRequest:
    """Server: which processes are there?"""


@dataclass(frozen=True, slots=True)
class ProcidList:
    """Agent: these, running and ended."""

    proc_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProcResultRequest:
    """Server: what is known of a process?"""

    proc_id: str


@dataclass(frozen=True, slots=True)
class ProcUnknown:
    """Agent: there is no such process."""

    proc_id: str


@dataclass(frozen=True, slots=True)
class ProcSignalRequest:
    """Server: send a signal to the process; our agent sends it to the whole process group."""

    proc_id: str
    signum: int


@dataclass(frozen=True, slots=True)
class ProcFdDataRequest:
    """Server: read output from `start` up to `stop`, or as much as there is."""

    proc_id: str
    fd: str
    start: int
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class ProcFdData:
    """Agent: the bytes from `start` up to `stop`; fewer than asked if there are not so many."""

    proc_id: str
    fd: str
    start: int
    stop: int
    data: bytes
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class ProcDeleteRequest:
    """Server: forget an ended process and its output."""

    proc_id: str


@dataclass(frozen=True, slots=True)
class ProcDelete:
    """Agent: forgotten."""

    proc_id: str


@dataclass(frozen=True, slots=True)
class ShutDown:
    """Agent: I take no new work (`idling`), or am gone (`done`)."""

    shutdown_state: ShutdownState


FromAgent = Register | ProcResult | RequestError | ProcidList | ProcUnknown | ProcFdData | ProcDelete | ShutDown
FromServer = (
    Registered
    | ProcStartRequest
    | ProcidListRequest
    | ProcResultRequest
    | ProcSignalRequest
    | ProcFdDataRequest
    | ProcDeleteRequest
)
Message = FromAgent | FromServer

_DECODERS: Final = {
    kind.__name__: decoder(kind, strict=(Spec, Env))
    for kind in (
        *(Register, ProcResult, RequestError, ProcidList, ProcUnknown, ProcFdData, ProcDelete, ShutDown),
        *(Registered, ProcStartRequest, ProcidListRequest, ProcResultRequest, ProcSignalRequest),
        *(ProcFdDataRequest, ProcDeleteRequest),
    )
}
_RESULT: Final = _DECODERS[ProcResult.__name__]


def encode(message: Message) -> bytes:
    """Return the frame of a message; raise ProtocolError for text that no frame can hold."""
    return _pack({"type": type(message).__name__} | plain(message))


def decode(frame: bytes | str) -> Message:
    """Return what a frame says; raise ProtocolError, naming the place, if it is no message."""
    body = _unpack(frame)
    kind = body.pop("type", None)
    if not isinstance(kind, str) or kind not in _DECODERS:
        raise ProtocolError(f"no such type of message: {kind!r:.80}")
    try:
        message: Message = _DECODERS[kind](body)
    except Misfit as misfit:
        raise ProtocolError(f"{kind}{misfit.path} {misfit.words}") from None
    return message


def fields(frame: bytes | str) -> dict[str, Any]:
    """Return the map in a frame that may be no message, to send it back with an error; {} if there is none."""
    try:
        return _unpack(frame)
    except ProtocolError:
        return {}


def decode_results(data: bytes) -> list[ProcResult]:
    """Read frames of ProcResult that were written one after the other, up to the first damaged one."""
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    results: list[ProcResult] = []
    with contextlib.suppress(ValueError, msgpack.UnpackException, Misfit):
        results.extend(_RESULT(each) for each in unpacker)
    return results


def _pack(body: Any) -> bytes:
    try:
        packed: bytes = msgpack.packb(body, default=plain)
    except (ValueError, OverflowError) as error:
        raise ProtocolError(f"this cannot be sent: {error}") from error
    return packed


def _unpack(frame: bytes | str) -> dict[str, Any]:
    if isinstance(frame, str):
        raise ProtocolError("a text frame, where only binary ones are understood")
    try:
        body = msgpack.unpackb(frame)
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"no MessagePack: {error or type(error).__name__}") from error
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise ProtocolError("no map with names as keys")
    return body
