"""The lines that start an agent on another machine, with all that it needs to trust and to be trusted."""

from urllib.parse import urlsplit

import picket.settings
from webapp.accounts.keys import NewKey

LOOPBACK = ("127.", "::1", "localhost")
LINES = """\
umask 077
mkdir -p /etc/picket-agent /var/lib/picket-agent
cat > /etc/picket-agent/secret <<'END'
{secret}
END
{authority}picket-agent --endpoint {endpoint} --key {key} --secret-file /etc/picket-agent/secret \\
  {trust}--state /var/lib/picket-agent"""
AUTHORITY = """\
cat > /etc/picket-agent/ca.pem <<'END'
{certificate}
END
"""


def lines(key: NewKey, web_host: str) -> str:
    """Shell lines for root. Agents are sent to the gateway on the machine that the browser reached."""
    settings = picket.settings.load()
    path = settings.agents.ca or settings.home / "tls" / "ca.pem"
    certificate = path.read_text().strip() if path.exists() else ""
    host = urlsplit(f"//{web_host}").hostname or "localhost"
    return LINES.format(
        key=key.key,
        secret=key.secret,
        endpoint=picket.settings.Endpoint(host, settings.agents.listen.port),
        authority=AUTHORITY.format(certificate=certificate) if certificate else "",
        trust="--ca /etc/picket-agent/ca.pem " if certificate else "",
    )


def only_here() -> str:
    """Where the gateway listens, if no other machine can reach it there; else nothing."""
    listen = picket.settings.load().agents.listen
    return str(listen) if listen.host.startswith(LOOPBACK) else ""
