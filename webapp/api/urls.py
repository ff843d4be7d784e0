"""The addresses of the REST API, one prefix per version."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from webapp.api import problems, v1, v2


def not_found(request: HttpRequest) -> HttpResponse:
    """An address that the API has not."""
    return problems.problem(404, "not_found", f"the API has no {request.path}")


urlpatterns = [
    path("1.0/", v1.api.urls),
    path("2.0/", v2.api.urls),
    re_path(r"^[12]\.0/", not_found),
]
