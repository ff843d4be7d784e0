"""OAuth 1.0a, two-legged: requests signed by an API key's secret, in the header, the query or a form."""

import hashlib
import time

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from oauthlib.oauth1 import (
    SIGNATURE_HMAC_SHA1,
    SIGNATURE_HMAC_SHA256,
    RequestValidator,
    SignatureOnlyEndpoint,
)

from webapp.accounts.keys import find_key, secret_of
from webapp.accounts.models import ApiKey
from webapp.api.models import SpentNonce
from webapp.errors import Refused

SLACK_S = 300
FORM = "application/x-www-form-urlencoded"


class _OneRequest(RequestValidator):
    """Answers oauthlib's questions about one request, and keeps the answers."""

    allowed_signature_methods = (SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256)
    dummy_client = "pk_nobody"
    enforce_ssl = False  # The proxy that ends TLS, or the loopback address, is before us.
    timestamp_lifetime = SLACK_S

    def __init__(self) -> None:
        super().__init__()
        self.key: ApiKey | None = None
        self.use = ""

    def check_client_key(self, client_key: str) -> bool:
        return 0 < len(client_key) <= 40

    def check_nonce(self, nonce: str) -> bool:
        return 0 < len(nonce) <= 128

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, *_request: object, **_tokens: object
    ) -> bool:
        """Only noted: a nonce is spent once the signature is found good."""
        self.use = f"{client_key} {timestamp} {nonce}"
        return True

    def validate_client_key(self, client_key: str, *_request: object) -> bool:
        self.key = find_key(client_key)
        return self.key is not None

    def get_client_secret(self, *_asked: object) -> str:
        return secret_of(self.key) if self.key else "ps_nobody"

    def get_access_token_secret(self, *_asked: object) -> str:
        return ""


def is_signed(request: HttpRequest) -> bool:
    """Whether the request carries a signature at all."""
    header = request.headers.get("Authorization", "")
    return header[:6].lower() == "oauth " or any(
        "oauth_signature" in place for place in (request.GET, request.POST)
    )


def verify(request: HttpRequest) -> ApiKey:
    """The key that signed the request; Refused("bad_signature") or Refused("replayed")."""
    if request.body and request.content_type != FORM:
        raise Refused("bad_signature", f"a signature covers a body of type {FORM} only")
    for address in _addresses(request):
        checked = _OneRequest()
        if _fits(checked, address, request) and checked.key:
            spend(checked.use)
            return checked.key
    raise Refused("bad_signature", f"the signature, the key or the time (within {SLACK_S} s) is wrong")


def _addresses(request: HttpRequest) -> list[str]:
    """What the client may have signed: the address as it reached us, and the public one."""
    path = request.get_full_path()
    public = [settings.PUBLIC_URL + path] if settings.PUBLIC_URL else []
    return [request.build_absolute_uri(path), *public]


def _fits(checked: _OneRequest, address: str, request: HttpRequest) -> bool:
    headers = {
        name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
    }
    try:
        valid, _parsed = SignatureOnlyEndpoint(checked).validate_request(
            address, request.method or "GET", request.body.decode(), headers
        )
    except ValueError:  # Not parameters at all.
        return False
    return bool(valid)


def spend(use: str) -> None:
    """Remember this use; the database lets nobody do the same twice."""
    digest = hashlib.sha256(use.encode()).hexdigest()
    timestamp = int(use.split(" ")[1])
    try:
        with transaction.atomic():
            SpentNonce.objects.create(digest=digest, timestamp=timestamp)
    except IntegrityError as error:
        raise Refused("replayed", "this signed request was answered before") from error
    if digest.startswith("0"):  # One request in 16 tidies up.
        SpentNonce.objects.filter(timestamp__lt=time.time() - 2 * SLACK_S).delete()
