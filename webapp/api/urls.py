"""The addresses of the REST API, one prefix per version."""

from django.urls import path

from webapp.api import v1, v2

urlpatterns = [
    path("1.0/", v1.api.urls),
    path("2.0/", v2.api.urls),
]
