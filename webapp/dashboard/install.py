"""The lines that put an agent on a server; see docs for what each does."""

from webapp.accounts.keys import NewKey


def lines(key: NewKey, gateway: str) -> str:
    """Shell lines, for root."""
    return f"picket-agent {key.key} {key.secret} {gateway}"
