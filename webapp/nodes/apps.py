"""Django's entry of this app."""

from django.apps import AppConfig


class NodesConfig(AppConfig):
    """The app `nodes`."""

    name = "webapp.nodes"
    label = "nodes"
    default_auto_field = "django.db.models.BigAutoField"
