"""Django's entry of this app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The app `api`."""

    name = "webapp.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"
