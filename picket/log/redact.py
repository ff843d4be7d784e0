"""Takes secrets out of text on its way to a log, and out of logs what could pass for lines of their own."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from picket.settings import Settings

GONE = "***"
LONGEST = 16_384
"""Characters of one text; what is longer is cut."""

SHORTEST_SECRET = 8
"""A known secret that is shorter is not looked for: it would blot out common words."""

_NAMES = "token|secret|passw|pwd|ticket|signature|session|csrf|authorization|cookie|api.?key|private.?key|dsn"
_SENSITIVE = re.compile(_NAMES, re.IGNORECASE)
_PATTERNS = [
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,200}):[^\s/@]{1,200}@", re.IGNORECASE),
        rf"\1:{GONE}@",
    ),
    (re.compile(r"(/enter/)[\w-]{8,}"), rf"\1{GONE}"),
    (re.compile(r"\b(pk_[a-z0-9]{4})[a-z0-9]{4,}"), rf"\1{GONE}"),
    (re.compile(r"\bps_[a-z0-9]{8,}"), f"ps_{GONE}"),
    (re.compile(r"\b(Bearer|Basic) [\w+/=.~-]{8,}"), rf"\1 {GONE}"),
    (re.compile(r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\s\S]*?(-----END|\Z)"), rf"\1{GONE}\2"),
    (
        re.compile(
            rf"((?:{_NAMES})[\w-]{{0,20}}['\"]?\s{{0,3}}[:=]\s{{0,3}})"
            r"(?:b?\"[^\"]*\"?|b?'[^']*'?|[^\s,;&)}\]'\"]+)",
            re.IGNORECASE,
        ),
        rf"\1{GONE}",
    ),
]
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Redactor:
    """Takes out the `secrets` that are known, and whatever looks like one: see docs/logging.md."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without them, cut to LONGEST."""
        text = text[: 4 * LONGEST]
        if self._known:
            text = self._known.sub(GONE, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def field(self, name: str, value: object) -> object:
        """The value of a structured field: a number as it is, anything else as text without secrets."""
        if _SENSITIVE.search(name):
            return GONE
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float) and abs(value) < float("inf"):
            return value
        return self(text_of(value))


def text_of(value: object) -> str:
    """`str(value)`, whatever that raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ must not cost the line
        return f"<{type(value).__name__} that cannot be shown>"


def visible(text: str) -> str:
    r"""On one line: control characters, ends of lines and marks of direction as escapes such as `\n`."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def secrets_of(settings: Settings) -> Iterator[str]:
    """The secrets that the settings hold."""
    yield from (settings.secret_key, settings.mail.password, urlsplit(settings.log.sentry_dsn).username or "")
    for url in (*settings.broker.urls, settings.database.url):
        password = urlsplit(url).password or ""
        yield from (password, unquote(password))
