"""Secrets do not come through, whatever they are wrapped in, and plain words do."""

import time

import pytest

from picket.log.redact import LONGEST, Redactor, secrets_of, visible
from picket.settings import Settings
from tests.picket.log.logs import Logged

SECRET = "sesame-open-2931"

TOLD = [
    f"cannot reach amqp://picket:{SECRET}@mq.example:5672/%2F",
    f"mysql://me:{SECRET}@db/picket refused us",
    f"GET /enter/{SECRET}{SECRET} 403",
    f"GET /live/events?node=n1&ticket={SECRET}&x=1",
    f"GET /2.0/nodes?access_token={SECRET}",
    f"Authorization: Bearer pk_abcdefgh12345678.ps_{SECRET.replace('-', '')}",
    f"Authorization: Basic {SECRET}=",
    f'OAuth oauth_consumer_key="pk_1", oauth_signature="{SECRET}%3D"',
    f"Hello(key='pk_abcdefgh12345678', secret='{SECRET}', node_secret='{SECRET}')",
    f'{{"password": "{SECRET} with blanks", "user": "me"}}',
    f"PICKET_SECRET_KEY={SECRET}",
    f"api_key = {SECRET}",
    f"Cookie: picket_session={SECRET}; csrftoken={SECRET}",
    f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----",
]


@pytest.mark.parametrize("form", ["human", "json"])
@pytest.mark.parametrize("text", TOLD)
def test_a_secret_is_in_no_part_of_a_line(text: str, form: str) -> None:
    logged = Logged(form)
    try:
        raise ValueError(text)
    except ValueError:
        logged.log.failure("it failed: {text}", text=text)
    assert "it failed" in logged.text
    assert SECRET not in logged.text
    assert SECRET.replace("-", "") not in logged.text


@pytest.mark.parametrize("name", ["secret", "password", "node_secret", "ticket", "apiKey", "Authorization"])
def test_a_field_of_a_secrets_name_is_never_shown(name: str) -> None:
    logged = Logged()
    logged.log.info("so it is", **{name: SECRET})
    assert logged.lines[0]["fields"] == {name: "***"}


def test_the_secrets_of_the_settings_are_known_wherever_they_stand() -> None:
    found = Settings.model_validate(
        {
            "secret_key": "the key of all",
            "broker": {"urls": ["amqp://u:br%40ken-glass@h/"]},
            "database": {"url": "mysql://u:data-and-base@h/d"},
        }
    )
    redact = Redactor(secrets_of(found))
    told = redact("the key of all br%40ken-glass br@ken-glass data-and-base")
    assert told == "*** *** *** ***"


def test_a_short_password_does_not_blot_out_words() -> None:
    assert Redactor(["guest"])("a guest") == "a guest"


@pytest.mark.parametrize(
    "text",
    [
        "node n0123456789 is up at http://127.0.0.1:8080/nodes",
        "check disk key=/ took 3 ms",
        "user me@example.org signed in by https://p.example/enter",
        "the token is too old",
        "12:34:56 a@b",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_a_key_can_still_be_told_from_another() -> None:
    assert Redactor()("pk_abcdefgh12345678") == "pk_abcd***"


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a-" * 500_000, "secret" * 200_000, "a://" * 250_000, "-----BEGIN "]
)
def test_a_hostile_text_is_cut_and_costs_little(text: str) -> None:
    began = time.process_time()
    told = Redactor(["secret and more"])(text)
    assert len(told) <= LONGEST + 1
    assert time.process_time() - began < 1


def test_control_characters_become_visible() -> None:
    assert (
        visible("a\r\nb\x1b[31m\x00\x85\u2028\u202e\udc80é") == r"a\r\nb\x1b[31m\x00\x85\u2028\u202e\udc80é"
    )
