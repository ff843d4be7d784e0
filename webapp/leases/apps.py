"""Django's entry of this app."""

from django.apps import AppConfig


class LeasesConfig(AppConfig):
    """The app `leases`."""

    name = "webapp.leases"
    label = "leases"
    default_auto_field = "django.db.models.BigAutoField"
