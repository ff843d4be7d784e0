"""Sends a mail by the SMTP server of the settings; blocks, so it is for threads."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from picket.log.redact import visible
from picket.settings import Mail

ANSWER_S = 10.0
"""How long each step of the conversation may take."""


def thd_send(server: Mail, to: Sequence[str], subject: str, text: str) -> None:
    """Raises OSError, smtplib.SMTPException or ssl.SSLError."""
    message = EmailMessage()
    message["From"] = server.sender or f"picket@{socket.getfqdn()}"
    message["To"] = ", ".join(to)
    message["Subject"] = visible(subject)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid("picket")
    message.set_content(text)
    with _connected(server) as connection:
        connection.send_message(message)


def _connected(server: Mail) -> smtplib.SMTP:
    """A connection, encrypted and signed in as the settings have it."""
    trusted = ssl.create_default_context()
    if server.tls == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=ANSWER_S, context=trusted
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=ANSWER_S)
    try:
        if server.tls == "starttls":
            connection.starttls(context=trusted)
        if server.user:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection
