"""The page of API keys: makes them, shows a secret once, revokes them."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from webapp.accounts.keys import NewKey, create_key, revoke_key
from webapp.accounts.models import Account, ApiKey
from webapp.dashboard.account import demand_change, page
from webapp.errors import Refused

MEANINGS = {
    ApiKey.Permission.AGENT: "agent – send data",
    ApiKey.Permission.READ: "read – ask the API",
    ApiKey.Permission.WRITE: "write – change things by the API",
}


class KeyForm(forms.Form):
    """What a new key is to be called, and what it may do."""

    name = forms.CharField(
        max_length=200,
        widget=forms.TextInput(
            attrs={"class": "input", "placeholder": "backup script", "autocomplete": "off"}
        ),
    )
    permissions = forms.MultipleChoiceField(
        choices=list(MEANINGS.items()), widget=forms.CheckboxSelectMultiple, initial=[ApiKey.Permission.READ]
    )


@page
@never_cache
def keys(request: HttpRequest, account: Account) -> HttpResponse:
    """All keys of the account; a POST makes one and shows its secret, in this answer only."""
    form = KeyForm(request.POST or None)
    made: NewKey | None = None
    if request.method == "POST":
        demand_change(request, account)
        if form.is_valid():
            made = create_key(account, form.cleaned_data["name"], form.cleaned_data["permissions"])
            form = KeyForm()
    shown = account.keys.order_by("-created", "-pk")
    context = {"here": "keys", "account": account, "keys": shown, "form": form, "made": made}
    return render(request, "keys.html", context)


@page
@require_POST
def revoke(request: HttpRequest, account: Account, key: str) -> HttpResponse:
    """The key opens nothing any more."""
    demand_change(request, account)
    try:
        revoke_key(account, key)
    except Refused as error:
        raise Http404(error.message) from error
    messages.success(request, "The key is revoked. Whoever used it is turned away.")
    return redirect("keys")
