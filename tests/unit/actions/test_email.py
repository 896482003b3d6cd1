"""Mail, to a real server that is not always friendly."""

import asyncio
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from apsis.actions import email
from apsis.actions.email import NOT_CONFIGURED, Emails
from apsis.actions.mailing import Mailing
from apsis.actions.sending import FEW, TRIES, Problem
from apsis.domain.action import Email
from apsis.domain.secret import Secret
from tests.support.receivers import MailServer, mail_server
from tests.support.server import free_port
from tests.unit.actions.office import a_delivery, secrets_of

OPS = Email(("ops@example.com",))


def mailing(server: MailServer) -> Mailing:
    return Mailing("127.0.0.1", server.port, "Apsis <apsis@example.com>", tls="none")


def send(
    directory: Path, mailing: Mailing | None, mail: Email = OPS, /, *, url: str | None = None, **event: object
) -> Problem | None:
    emails = Emails(mailing, "0123abcd", secrets_of(directory, smtp="hunter2"), url)

    async def main() -> Problem | None:
        problem = await emails.send(a_delivery(mail, **event))
        # A connection over TLS closes by a word more each way: a loop that ends before that would leave it open.
        while len(asyncio.get_running_loop()._selector.get_map()) > 1:  # noqa: ASYNC110 - the loop itself is asked
            await asyncio.sleep(0.01)
        return problem

    return asyncio.run(main())


def test_our_words_say_what_one_wants_to_know(tmp_path: Path) -> None:
    with mail_server() as server:
        assert send(tmp_path, mailing(server), url="https://apsis.example.com") is None
        (mail,) = server.mails
    assert mail["Subject"] == "etl/load date=2026-11-24: failure (exit code 3)"
    assert (mail["From"], mail["To"]) == ("Apsis <apsis@example.com>", "ops@example.com")
    assert mail["Message-ID"] == "<r1-3-0@0123abcd>"
    assert mail["Date"] == "Tue, 24 Nov 2026 12:00:00 +0000"
    assert mail.get_content() == (
        "etl/load date=2026-11-24: failure (exit code 3)\n\n"
        "job:       etl/load\n"
        "args:      date=2026-11-24\n"
        "state:     failure\n"
        "message:   exit code 3\n"
        "attempt:   1\n"
        "scheduled: 2026-11-24T11:59:00.000Z\n"
        "happened:  2026-11-24T12:00:00.000Z\n"
        "run:       raaaaaaaaaaaaaaaa\n"
        "revision:  a01b2c3\n"
        "labels:    etl\n\n"
        "https://apsis.example.com/runs/raaaaaaaaaaaaaaaa\n"
    )


def test_own_words_are_filled_in_and_cannot_become_headers(tmp_path: Path) -> None:
    words = Email(
        ("Zoë <zoe@example.com>", "ops@example.com"),
        "{{ job_id }}\r\nBcc: all@example.com\n{{ message }}",
        "Zürich: {{ state }}",
    )
    with mail_server() as server:
        assert send(tmp_path, mailing(server), words, message="größer") is None
        (mail,) = server.mails
        assert server.to == [["zoe@example.com", "ops@example.com"]]
    assert mail["Subject"] == "etl/load Bcc: all@example.com größer"
    assert mail["Bcc"] is None
    assert mail["To"] == "Zoë <zoe@example.com>, ops@example.com"
    assert mail.get_content() == "Zürich: failure\n"


def test_without_a_mail_server_the_log_says_what_to_configure(tmp_path: Path) -> None:
    assert send(tmp_path, None) == Problem(NOT_CONFIGURED, tries=1)


def test_templates_and_addresses_that_make_no_mail_are_given_up(tmp_path: Path) -> None:
    with mail_server() as server:
        settings = mailing(server)
        assert send(tmp_path, settings, replace(OPS, subject="{{ nobody }}")) == Problem(
            "'nobody' is undefined", tries=1
        )
        broken = send(tmp_path, settings, Email(("ops@example.com\nBcc: all@example.com",)))
        assert server.mails == []
    assert broken is not None
    assert (broken.tries, broken.words.startswith("this cannot be a message: ")) == (1, True)


@pytest.mark.parametrize(("answer", "tries"), [("451 later", TRIES), ("550 never", FEW), ("554 spam\r\n", FEW)])
def test_what_the_server_says_to_a_message(tmp_path: Path, answer: str, tries: int) -> None:
    with mail_server() as server:
        server.answers.append(answer)
        problem = send(tmp_path, mailing(server))
        assert problem == Problem(f"127.0.0.1:{server.port}: {answer.strip()}", tries)
        assert send(tmp_path, mailing(server)) is None
        assert len(server.mails) == 1


def test_refused_recipients(tmp_path: Path) -> None:
    both = Email(("ops@example.com", "gone@example.com"))
    with mail_server() as server:
        server.refuses["gone@example.com"] = "550 unknown"
        some = send(tmp_path, mailing(server), both)
        assert server.to == [["ops@example.com"]]
        server.refuses["ops@example.com"] = "450 busy"
        all_of_them = send(tmp_path, mailing(server), both)
        only = send(tmp_path, mailing(server), Email(("gone@example.com",)))
    assert some is not None
    assert (some.tries, some.words.endswith("the others have it: gone@example.com: 550 unknown")) == (1, True)
    assert all_of_them is not None
    assert all_of_them.tries == TRIES
    assert only is not None
    assert only.tries == FEW


def test_a_server_that_is_away_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "SENT_WITHIN_S", 0.3)
    gone = send(tmp_path, Mailing("127.0.0.1", free_port(), "a@b.c", tls="none"))
    assert gone is not None
    assert gone.away
    assert "cannot be reached" in gone.words
    with mail_server() as server:
        server.answers.append("hang")
        assert send(tmp_path, mailing(server)) == Problem(f"127.0.0.1:{server.port}: no answer within 0.3 s", away=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("certificate")
    cert, key = directory / "cert.pem", directory / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    subprocess.run([*make, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_login_over_tls_and_one_that_fails_without_telling(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    options = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {"ssl_context": context}
    with mail_server(**options, auth_require_tls=tls == "starttls") as server:
        settings = Mailing("localhost", server.port, "apsis@example.com", "apsis", Secret("smtp"), tls)  # type: ignore[arg-type]
        untrusted = send(tmp_path, settings)
        assert untrusted is not None
        assert "certificate verify failed" in untrusted.words
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        server.accepts = "apsis", "hunter2"
        assert send(tmp_path, settings) is None
        assert server.logins[-1] == ("apsis", "hunter2")
        server.accepts = "apsis", "rotated"
        problem = send(tmp_path, settings)
    assert problem is not None
    assert problem.tries == TRIES
    assert problem.words.startswith(f"localhost:{server.port}: 535 ")
    assert "hunter2" not in problem.words


def test_plain_text_is_not_fallen_back_to(tmp_path: Path) -> None:
    with mail_server() as server:
        problem = send(tmp_path, replace(mailing(server), tls="starttls"))
        assert server.mails == []
    assert problem is not None
