"""The ticket by which the live service knows, without a database, whose data a browser may see."""

from datetime import timedelta

from django.core.signing import BadSignature, TimestampSigner

from webapp.errors import Refused

LIVES = timedelta(hours=12)


def make(account_id: str, secret_key: str) -> str:
    """A ticket for everything of this account."""
    return _signer(secret_key).sign_object({"account": account_id})


def read(ticket: str, secret_key: str) -> str:
    """The account id; Refused("bad_ticket") when it was not signed by this key, or is too old."""
    try:
        return str(_signer(secret_key).unsign_object(ticket, max_age=LIVES)["account"])
    except (BadSignature, ValueError) as error:
        raise Refused("bad_ticket", "the ticket is not ours, or too old; load the page again") from error


def _signer(secret_key: str) -> TimestampSigner:
    return TimestampSigner(key=secret_key, salt="picket.live", fallback_keys=[])
