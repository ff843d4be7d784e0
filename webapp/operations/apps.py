"""Django's entry of this app."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """The app `operations`."""

    name = "webapp.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"
