"""Every address of the web app; `/static` and `/live` are served beside it, by `picket web`."""

from django.urls import include, path

from webapp import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("", include("webapp.api.urls")),
    path("", include("webapp.dashboard.urls")),
]
