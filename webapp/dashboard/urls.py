"""The addresses of the pages, and of the JSON that their scripts fetch."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from webapp.dashboard import data, install, keys, services, sign_in, views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("agent/<str:name>", install.wheel, name="agent-wheel"),
    path("nodes/add", views.add, name="add"),
    path("nodes/<str:node_id>", views.node, name="node"),
    path("nodes/<str:node_id>/series", data.series, name="series"),
    path("nodes/<str:node_id>/latest", data.latest, name="latest"),
    path("ticket", data.ticket, name="ticket"),
    path("keys", keys.keys, name="keys"),
    path("keys/<str:key>/revoke", keys.revoke, name="revoke"),
    path("services", services.services, name="services"),
    path("login", sign_in.SignIn.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("enter/<str:token>", sign_in.enter, name="enter"),
]
