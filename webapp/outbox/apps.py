"""Django's entry of this app."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The app `outbox`."""

    name = "webapp.outbox"
    label = "outbox"
    default_auto_field = "django.db.models.BigAutoField"
