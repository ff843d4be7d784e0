"""Who operates this installation, and so may see how its own services are: owners of its first account."""

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import Account, Membership, User


def operates(user: User | AnonymousUser) -> bool:
    """Whether who is signed in does."""
    if not user.is_authenticated:
        return False
    first = Account.objects.order_by("created", "pk").first()
    return first is not None and first.memberships.filter(user=user, role=Membership.Role.OWNER).exists()
