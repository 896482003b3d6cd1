"""Those who get messages: an HTTP server and a mail server, real ones, that answer as a test wants."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from tests.support.server import free_port


@dataclass(frozen=True)
class Post:
    """What was posted."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """What an HTTP server got; `answers` are (status, headers) or "hang" or "hang up", then it is 204 for ever."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]] | str] = field(default_factory=deque)
    body: bytes = b""
    closed: threading.Event = field(default_factory=threading.Event)

    def bodies(self) -> list[bytes]:
        return [post.body for post in self.posts]


@contextlib.contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Run an HTTP server for a test."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.answers.popleft() if receiver.answers else (204, {})
            if answer == "hang up":
                self.close_connection = True
                return
            receiver.posts.append(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if answer == "hang":
                receiver.closed.wait()
                self.close_connection = True
                return
            assert not isinstance(answer, str)
            status, headers = answer
            said = b"" if status == 204 else receiver.body
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailServer:
    """What a mail server got; `answers` are what it says to the next messages, `refuses` whom it does not know."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    answers: deque[str] = field(default_factory=deque)
    refuses: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)
    accepts: tuple[str, str] = ("", "")

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, _server: SMTP, _session: object, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.popleft() if self.answers else "250 OK"
        if answer == "hang":
            await asyncio.Event().wait()
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=policy.default))  # type: ignore[arg-type]
            self.to.append(list(envelope.rcpt_tos))
        return answer

    def authenticate(
        self, _server: SMTP, _session: object, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == self.accepts, handled=False)


@contextlib.contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """Run a mail server for a test; `options` are aiosmtpd's."""
    server = MailServer(free_port())
    controller = Controller(
        server, hostname="127.0.0.1", port=server.port, authenticator=server.authenticate, **options
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
