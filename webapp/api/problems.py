"""Errors as problem details (RFC 9457): `{"type", "title", "status", "detail", "code"}`."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

import rpc.errors
from webapp.errors import BackendUnavailable, Refused

log = logging.getLogger("picket.api")

STATUS = {
    "no_credentials": 401,
    "bad_key": 401,
    "bad_signature": 401,
    "replayed": 401,
    "no_permission": 403,
    "bad_query": 400,
    "unknown_node": 404,
    "unknown_check": 404,
}
CHALLENGE = 'Bearer realm="picket", OAuth realm="picket"'


def problem(status: int, code: str, detail: str) -> HttpResponse:
    """The response that tells of one error; `code` is a word for programs, `detail` a sentence for people."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    response = HttpResponse(orjson.dumps(body), status=status, content_type="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _refused(_request: HttpRequest, error: Refused | rpc.errors.Refused) -> HttpResponse:
    return problem(STATUS.get(error.code, 400), error.code, error.message)


def _away(_request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(503, "unavailable", str(error))


def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    wrong = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors)
    return problem(400, "bad_parameter", wrong)


def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(error.status_code, "bad_request", str(error))


def _not_found(_request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(404, "not_found", str(error) or "there is no such thing")


def _fault(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return problem(500, "fault", "the fault is ours, and was logged")


HANDLERS: dict[type[Exception], Any] = {
    Refused: _refused,
    rpc.errors.Refused: _refused,
    BackendUnavailable: _away,
    rpc.errors.Unavailable: _away,
    ValidationError: _invalid,
    HttpError: _http_error,
    Http404: _not_found,
    Exception: _fault,
}


def tell(api: NinjaAPI) -> None:
    """Make `api` answer every error as a problem."""
    for error, handler in HANDLERS.items():
        api.add_exception_handler(error, handler)
