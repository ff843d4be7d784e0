"""Who asks: a bearer token `KEY.SECRET`, or an OAuth 1.0 signature. Cookies do not count here."""

from django.http import HttpRequest

from webapp.accounts.keys import authenticate_key, demand, note_use
from webapp.accounts.models import Account, ApiKey
from webapp.api import oauth1
from webapp.errors import Refused

SAFE = ("GET", "HEAD", "OPTIONS")


class ApiRequest(HttpRequest):
    """A request that passed `authenticate`."""

    auth: Account


def authenticate(request: HttpRequest) -> Account:
    """The account that a request of the API speaks for.

    Refused: no_credentials, bad_key, bad_signature, replayed, no_permission.
    """
    permission = ApiKey.Permission.READ if request.method in SAFE else ApiKey.Permission.WRITE
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _by_token(token.strip(), permission)
    if not oauth1.is_signed(request):
        raise Refused("no_credentials", "show an API key: as a bearer token, or by an OAuth 1.0 signature")
    key = oauth1.verify(request)
    demand(key, permission)
    note_use(key)
    return key.account


def _by_token(token: str, permission: str) -> Account:
    key, _, secret = token.partition(".")
    return authenticate_key(key, secret, permission).account
