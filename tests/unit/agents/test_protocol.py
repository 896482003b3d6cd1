import msgpack
import pytest

from apsis.agents import protocol
from apsis.agents.protocol import Conn, Env, Fd, Proc, Result, Rusage, Spec, Status, Times
from apsis.agents.record import ProtocolError

RESULT = Result(
    "terminated",
    (),
    17,
    Times("2026-11-24T12:00:00.000Z", "2026-11-24T12:00:01.000Z", "2026-11-24T12:00:01.000Z", 1.0),
    Status(768, 3),
    Rusage(0.5, 0.25, 4096),
    {"stdout": Fd("detached", 12)},
)

MESSAGES = [
    protocol.Register(Conn("c1", "default"), Proc(1, "host", 0, 0, 0, "root", 0, 0, "root"), ("p1", "p2")),
    protocol.Register(Conn("c1", "g", "/bin/x"), Proc(1, "h"), (), "token", "idling", ("output_with_end",)),
    protocol.Registered(),
    protocol.ProcStartRequest({"p1": Spec(("echo", "grüße"), Env(("PATH",), {"A": "1", "B": None}))}),
    protocol.ProcStartRequest({"p1": Spec(("true",), Env(inherit=True))}),
    protocol.ProcResult("p1", RESULT),
    protocol.ProcResult("p1", Result("terminated", output=b"")),
    protocol.ProcResult("p1", Result("error", ("no such file: x",))),
    protocol.RequestError({"type": "ProcDeleteRequest", "proc_id": "p1"}, "it runs"),
    protocol.ProcidListRequest(),
    protocol.ProcidList(("p1",)),
    protocol.ProcResultRequest("p1"),
    protocol.ProcUnknown("p1"),
    protocol.ProcSignalRequest("p1", 15),
    protocol.ProcFdDataRequest("p1", "stdout", 0, 10),
    protocol.ProcFdDataRequest("p1", "stdout", 5),
    protocol.ProcFdData("p1", "stdout", 0, 3, b"\x00\xff\n"),
    protocol.ProcDeleteRequest("p1"),
    protocol.ProcDelete("p1"),
    protocol.ShutDown("idling"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_comes_back_as_it_was(message: protocol.Message) -> None:
    assert protocol.decode(protocol.encode(message)) == message


def test_a_frame_is_a_map_with_the_name_of_its_message() -> None:
    assert msgpack.unpackb(protocol.encode(protocol.ProcSignalRequest("p1", 15))) == {
        "type": "ProcSignalRequest",
        "proc_id": "p1",
        "signum": 15,
    }


def test_what_an_agent_adds_to_a_result_is_passed_over() -> None:
    frame = {"type": "ProcResult", "proc_id": "p", "res": {"state": "running", "proc_stat": {"vsize": 1}, "pid": 3}}
    assert protocol.decode(msgpack.packb(frame)) == protocol.ProcResult("p", Result("running", pid=3))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "no MessagePack"),
        (b"\xc1", "no MessagePack"),
        (b"\x81\xa1", "no MessagePack"),
        (b"\x91" * 5000, "no MessagePack"),
        (b"\xa2\xff\xff", "no MessagePack"),
        ("{}", "a text frame"),
        (msgpack.packb([1]), "no map"),
        (msgpack.packb({b"type": "ProcDelete"}), "no map"),
        (msgpack.packb({"type": "Hello"}), "no such type of message: 'Hello'"),
        (msgpack.packb({"proc_id": "p"}), "no such type of message: None"),
        (msgpack.packb({"type": "ProcDelete"}), "ProcDelete lacks proc_id"),
        (msgpack.packb({"type": "ProcDelete", "proc_id": 7}), "ProcDelete.proc_id is 7, not text"),
        (msgpack.packb({"type": "ProcSignalRequest", "proc_id": "p", "signum": True}), "signum is True, not a whole"),
        (msgpack.packb({"type": "ProcResult", "proc_id": "p", "res": {"state": "odd"}}), "res.state is 'odd', not"),
        (msgpack.packb({"type": "ProcidList", "proc_ids": ["a", 1]}), r"proc_ids\[1\] is 1, not text"),
        (
            msgpack.packb({"type": "ProcStartRequest", "specs": {"p": {"argv": ["x"], "cwd": "/"}}}),
            "specs.p has an unknown field 'cwd'",
        ),
    ],
)
def test_a_wrong_frame_is_an_error_that_names_the_place(frame: bytes | str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        protocol.decode(frame)


def test_text_that_no_frame_can_hold_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="cannot be sent"):
        protocol.encode(protocol.ProcDelete("\ud800"))


def test_of_recorded_results_the_damaged_tail_is_left_out() -> None:
    both = [protocol.ProcResult("p", Result("running", pid=17)), protocol.ProcResult("p", RESULT)]
    whole = b"".join(protocol.encode(each) for each in both)
    assert protocol.decode_results(whole) == both
    assert protocol.decode_results(whole[:-1]) == both[:1]
    assert protocol.decode_results(b"\xc1") == []
