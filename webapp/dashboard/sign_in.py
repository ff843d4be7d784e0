"""How people come in: by address and password, or by a one-time link."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from webapp.accounts import entry
from webapp.errors import Refused

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignInForm(AuthenticationForm):
    """Address and password, as browsers' password stores know them."""

    error_messages = {  # noqa: RUF012 - as Django has it
        "invalid_login": "No account has this address and password.",
        "inactive": "This account was closed.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget = forms.EmailInput(
            attrs={"class": "input", "autocomplete": "username", "autofocus": True, "maxlength": 254}
        )
        self.fields["password"].widget = forms.PasswordInput(
            attrs={"class": "input", "autocomplete": "current-password"}
        )


class SignIn(LoginView):
    """The page that asks for address and password."""

    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


@require_GET
@never_cache
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a one-time link."""
    try:
        user = entry.enter(token)
    except Refused as error:
        return render(
            request, "sign_in.html", {"form": SignInForm(request), "link_error": error.message}, status=403
        )
    login(request, user, backend=BACKEND)
    return redirect("overview")
