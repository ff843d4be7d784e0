"""Django's entry of this app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The app `dashboard`."""

    name = "webapp.dashboard"
    label = "dashboard"
