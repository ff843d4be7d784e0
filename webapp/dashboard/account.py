"""Gives a view the account of who is signed in: no page or answer is made without one."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse

from webapp.accounts.models import Account, Membership, User
from webapp.accounts.operators import operates

P = ParamSpec("P")
AccountView = Callable[Concatenate[HttpRequest, Account, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def page(view: AccountView[P]) -> View[P]:
    """A page of an account; who is not signed in is sent to do so."""

    @wraps(view)
    def signed_in(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, _account_of(request.user), *args, **kwargs)

    return signed_in


def answer(view: AccountView[P]) -> View[P]:
    """JSON for a page's script; who is not signed in gets 401."""

    @wraps(view)
    def signed_in(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return JsonResponse({"error": "not signed in"}, status=401)
        return view(request, _account_of(request.user), *args, **kwargs)

    return signed_in


def operator(request: HttpRequest) -> dict[str, Callable[[], bool]]:
    """For templates: `operates`, whether who is signed in may see this installation's own services."""
    return {"operates": lambda: operates(request.user)}


def demand_change(request: HttpRequest, account: Account) -> None:
    """PermissionDenied where the user may only look."""
    looks = account.memberships.filter(user=request.user.pk, role=Membership.Role.VIEWER)
    if looks.exists():
        raise PermissionDenied("You may look at this account, but not change it.")


def _account_of(user: User) -> Account:
    account = user.accounts.order_by("created", "pk").first()
    if account is None:
        raise PermissionDenied("You belong to no account yet.")
    return account
