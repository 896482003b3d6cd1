"""Mail: one plain text to a run's people, by the mail server that is configured."""

import asyncio
import hashlib
import re
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, Final

import aiosmtplib

from apsis.actions.filling import filled
from apsis.actions.mailing import Mailing
from apsis.actions.sending import FEW, TRIES, Problem
from apsis.actions.words import headline, letter, link_to
from apsis.domain.action import Delivery, Email
from apsis.domain.errors import BindError
from apsis.engine.ports import Secrets

SENT_WITHIN_S: Final = 30.0
"""From connecting to the server's word that it has the message; servers that check for spam take their time."""
SUBJECT: Final = 200
"""Characters of a subject; a longer one hides more than it tells."""
WORDS: Final = 200
"""Characters of what a server says that are shown."""
NOT_CONFIGURED: Final = (
    "no mail server is configured: say `email: {host: HOST, from: ADDRESS}` in the server's configuration"
)

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Emails:
    """Sends mail; `url` is where people reach this server, for links."""

    def __init__(self, mailing: Mailing | None, instance_id: str, secrets: Secrets, url: str | None) -> None:
        self._mailing = mailing
        self._instance_id = instance_id
        self._secrets = secrets
        self._url = url
        self._trust: ssl.SSLContext | None = None

    def destination(self, message: Email) -> str:
        """Return whom it goes to."""
        return f"mail to {', '.join(message.to)}"

    async def send(self, delivery: Delivery) -> Problem | None:
        """Hand it over; None: the server has taken it. Raises ApsisError if the password does not come."""
        message = delivery.message
        assert isinstance(message, Email)  # noqa: S101 - what it is registered for
        if self._mailing is None:
            return Problem(NOT_CONFIGURED, tries=1)
        try:
            subject, body = await texts_of(message, delivery.event, link_to(self._url, delivery.event))
            mail = mail_of(delivery, self._mailing.sender, message.to, subject, body, self._instance_id)
        except BindError as error:
            return Problem(error.message, tries=1)
        except ValueError as error:
            return Problem(f"this cannot be a message: {self._line(str(error))}", tries=1)
        password = await self._secrets.value(self._mailing.password.secret) if self._mailing.password else None
        return await self._hand_over(self._mailing, password, mail, message.to)

    async def _hand_over(
        self, mailing: Mailing, password: str | None, mail: EmailMessage, to: tuple[str, ...]
    ) -> Problem | None:
        where = f"{mailing.host}:{mailing.port}"
        if self._trust is None:
            # Reading the system's certificates takes tens of milliseconds.
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        client = aiosmtplib.SMTP(
            hostname=mailing.host,
            port=mailing.port,
            username=mailing.user,
            password=password,
            local_hostname=socket.gethostname(),
            use_tls=mailing.tls == "tls",
            start_tls=mailing.tls == "starttls",
            tls_context=self._trust if mailing.tls != "none" else None,
            timeout=SENT_WITHIN_S,
        )
        sender, recipients = parseaddr(mailing.sender)[1], [parseaddr(each)[1] for each in to]
        try:
            async with asyncio.timeout(SENT_WITHIN_S), client:
                refused, _ = await client.send_message(mail, sender=sender, recipients=recipients)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Problem(f"{where}: no answer within {SENT_WITHIN_S:g} s", away=True)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = {each.recipient: (each.code, each.message) for each in error.recipients}
            return self._refused(where, refusals)
        except aiosmtplib.SMTPResponseException as error:
            # 5yz is final by RFC 5321, 4.2.1; but a login that fails is mended here, not by the message's author.
            final = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            return Problem(f"{where}: {error.code} {self._line(error.message)}", tries=FEW if final else TRIES)
        except (aiosmtplib.SMTPConnectError, OSError) as error:
            return Problem(f"{where} cannot be reached: {self._line(str(error))}", away=True)
        except (aiosmtplib.SMTPException, ValueError) as error:
            return Problem(f"{where}: {self._line(str(error))}")
        finally:
            # It does not close by itself where the connection was refused TLS or a login.
            client.close()
        # Who was refused is told; whoever has it must not get it again.
        return self._refused(where, {who: (each.code, each.message) for who, each in refused.items()}, only=True)

    def _refused(self, where: str, refusals: Mapping[str, tuple[int, str]], *, only: bool = False) -> Problem | None:
        if not refusals:
            return None
        said = "; ".join(f"{who}: {code} {self._line(text)}" for who, (code, text) in refusals.items())
        if only:
            return Problem(f"{where} refuses some of those whom it goes to, the others have it: {said}", tries=1)
        final = all(code >= 500 for code, _ in refusals.values())
        return Problem(f"{where} refuses {said}", tries=FEW if final else TRIES)

    def _line(self, text: str) -> str:
        shown = self._secrets.mask(text.encode(errors="replace")).decode(errors="replace")
        return " ".join("".join(c if c.isprintable() else " " for c in shown).split())[:WORDS]


async def texts_of(message: Email, event: Mapping[str, Any], link: str | None) -> tuple[str, str]:
    """Return subject and body; raise BindError for a template that gives neither."""
    subject = headline(event) if message.subject is None else await filled(message.subject, event)
    body = letter(event, link) if message.body is None else await filled(message.body, event)
    return " ".join(subject.split())[:SUBJECT], body


def mail_of(
    delivery: Delivery, sender: str, to: tuple[str, ...], subject: str, body: str, instance_id: str
) -> EmailMessage:
    """Return the mail; the same Message-ID at every try, by which a second copy is known. Raises ValueError."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = subject
    mail["Date"] = delivery.created.to_stdlib()
    mail["Message-ID"] = f"<{_id_of(delivery.key)}@{instance_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail


def _id_of(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
