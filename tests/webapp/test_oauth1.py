"""webapp.api.oauth1, by requests as the original's clients make them."""

import time
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from oauthlib.oauth1 import (
    SIGNATURE_HMAC_SHA1,
    SIGNATURE_HMAC_SHA256,
    SIGNATURE_PLAINTEXT,
    SIGNATURE_TYPE_AUTH_HEADER,
    SIGNATURE_TYPE_BODY,
    SIGNATURE_TYPE_QUERY,
    Client,
)

from tests.webapp.base import TenantTestCase
from webapp.accounts.keys import NewKey, create_key, revoke_key
from webapp.api.models import SpentNonce
from webapp.api.oauth1 import verify
from webapp.errors import Refused

FORM = "application/x-www-form-urlencoded"
NODES = "http://testserver/2.0/nodes"


class OAuth1Test(TenantTestCase):
    def signed(self, key: NewKey | None = None, **how: Any) -> Client:
        key = key or self.key
        return Client(key.key, client_secret=key.secret, **how)

    def send(self, signer: Client, uri: str = NODES, *, secure: bool = False) -> Any:
        uri, signed, _body = signer.sign(uri)
        parts = urlsplit(uri)
        return self.client.get(f"{parts.path}?{parts.query}", headers=signed, secure=secure)

    def post(self, body: str | bytes, content_type: str = FORM, **headers: str) -> HttpRequest:
        return RequestFactory().post("/2.0/nodes", body, content_type=content_type, headers=headers)

    def test_python_clients_sign_in_the_query(self) -> None:
        signer = self.signed(signature_type=SIGNATURE_TYPE_QUERY, nonce="12345678")
        answer = self.send(signer, f"{NODES}?query=node%3A%22web1%22")
        self.assertEqual([item["name"] for item in answer.json()["items"]], ["web1"])

    def test_python_clients_sign_a_form_in_its_body(self) -> None:
        signer = self.signed(signature_type=SIGNATURE_TYPE_BODY)
        _uri, _headers, body = signer.sign(NODES, "POST", {"name": "ab"}, {"Content-Type": FORM})
        self.assertEqual(verify(self.post(body)), self.account.keys.get())
        with self.assertRaises(Refused):
            verify(self.post(body.replace("name=ab", "name=z")))

    def test_ruby_clients_sign_in_the_header_with_a_realm(self) -> None:
        signer = self.signed(signature_type=SIGNATURE_TYPE_AUTH_HEADER, realm="http://testserver/")
        answer = self.send(signer, f"{NODES}?query=*")
        self.assertEqual(answer.status_code, 200, answer.content)

    def test_android_clients_have_negative_nonces(self) -> None:
        self.assertEqual(self.send(self.signed(nonce="-8446744073709551616")).status_code, 200)

    def test_both_hashes_are_taken_and_a_plain_secret_is_not(self) -> None:
        for method, status in (
            (SIGNATURE_HMAC_SHA1, 200),
            (SIGNATURE_HMAC_SHA256, 200),
            (SIGNATURE_PLAINTEXT, 401),
        ):
            self.assertEqual(self.send(self.signed(signature_method=method)).status_code, status, method)

    def test_a_signature_is_good_once(self) -> None:
        signer = self.signed(nonce="once", timestamp=str(int(time.time())))
        self.assertEqual(self.send(signer).status_code, 200)
        replay = self.send(signer)
        self.assertEqual((replay.status_code, replay.json()["code"]), (401, "replayed"))

    def test_a_nonce_is_its_keys_own(self) -> None:
        other = create_key(self.account, "second")
        for key in (self.key, other):
            signer = self.signed(key, nonce="shared", timestamp=str(int(time.time())))
            self.assertEqual(self.send(signer).status_code, 200)

    def test_a_bad_signature_spends_no_nonce(self) -> None:
        forger = self.signed(NewKey(self.key.key, "ps_wrong"), nonce="mine")
        self.assertEqual(self.send(forger).status_code, 401)
        self.assertEqual(SpentNonce.objects.count(), 0)

    def test_a_clock_may_be_off_by_five_minutes(self) -> None:
        for off, status in ((-290, 200), (290, 200), (-310, 401), (310, 401)):
            signer = self.signed(timestamp=str(int(time.time()) + off))
            self.assertEqual(self.send(signer).status_code, status, off)

    def test_behind_a_proxy_the_public_address_is_what_was_signed(self) -> None:
        uri = "https://picket.example.com/2.0/nodes"
        self.assertEqual(self.send(self.signed(), uri).status_code, 401)
        with override_settings(PUBLIC_URL="https://picket.example.com"):
            self.assertEqual(self.send(self.signed(), uri).status_code, 200)

    def test_https_is_part_of_what_was_signed(self) -> None:
        uri = NODES.replace("http:", "https:")
        self.assertEqual(self.send(self.signed(), uri, secure=True).status_code, 200)
        self.assertEqual(self.send(self.signed(), uri).status_code, 401)

    def test_a_changed_parameter_breaks_the_signature(self) -> None:
        uri, headers, _body = self.signed().sign(f"{NODES}?query=web1")
        self.assertEqual(self.client.get(uri.replace("web1", "web2"), headers=headers).status_code, 401)

    def test_a_signature_does_not_cover_a_body_that_is_no_form(self) -> None:
        _uri, headers, _body = self.signed().sign(NODES, "POST")
        self.assertEqual(verify(self.post("", **headers)), self.account.keys.get())
        _uri, headers, _body = self.signed().sign(NODES, "POST")
        with self.assertRaises(Refused):
            verify(self.post("{}", "application/json", **headers))

    def test_a_revoked_and_a_made_up_key_sign_nothing(self) -> None:
        revoke_key(self.account, self.key.key)
        self.assertEqual(self.send(self.signed()).status_code, 401)
        self.assertEqual(self.send(self.signed(NewKey("pk_nobody", "ps_nobody"))).status_code, 401)

    def test_odd_requests_are_refused_and_nothing_breaks(self) -> None:
        for header in ("OAuth", "OAuth x", "OAuth oauth_signature=,,=", 'OAuth oauth_nonce="%zz"'):
            self.assertEqual(
                self.client.get("/2.0/nodes", headers={"Authorization": header}).status_code, 401
            )
        for query in ("oauth_signature", "oauth_signature=1&oauth_signature=2", "oauth_signature=%ff&a"):
            self.assertEqual(self.client.get(f"/2.0/nodes?{query}").status_code, 401, query)
        with self.assertRaises(Refused):
            verify(self.post("name=%ff&oauth_signature"))
        with self.assertRaises(Refused):
            verify(self.post(b"\xff=1&oauth_signature=1"))
