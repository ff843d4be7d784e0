"""One signed request to the REST API: OAuth 1.0, two-legged, as the original's clients sign."""

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from oauthlib.oauth1 import Client as Signer

from ckl.config import Config

TIMEOUT_S = 20


class ApiError(Exception):
    """The server could not be reached, or refused; worded for the person at the terminal."""


class Client:
    """Reads from the API of one server."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._signer = Signer(config.key, config.secret)

    def nodes(self, query: str) -> list[dict[str, Any]]:
        """The nodes that match, as /2.0/nodes has them."""
        items: list[dict[str, Any]] = self._get("/2.0/nodes", query=query)["items"]
        return items

    def check(self, node_id: str, check: str) -> dict[str, Any]:
        """What a node's check found last: check, status, metrics of name, type and value."""
        found: dict[str, Any] = self._get(f"/1.0/query/node/{quote(node_id)}/check/{quote(check)}")
        return found

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self._config.url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        signed, headers, _ = self._signer.sign(url)
        try:
            with urlopen(Request(signed, headers=headers), timeout=TIMEOUT_S) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise ApiError(f"{self._config.url}{path} answers {error.code}: {_why(error)}") from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise ApiError(f"{self._config.url} cannot be reached ({reason}); is `url` right?") from error
        except ValueError as error:
            raise ApiError(f"{self._config.url}{path} does not answer JSON; is `url` right?") from error


def _why(error: HTTPError) -> str:
    """The problem's own words, where the server gave them."""
    try:
        problem = json.load(error)
        return str(problem.get("detail") or problem.get("title") or error.reason)
    except (ValueError, AttributeError):
        return str(error.reason)
