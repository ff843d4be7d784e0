"""The lines that start an agent on another machine, with all that it needs to trust and to be trusted."""

from pathlib import Path
from urllib.parse import urlsplit

import picket.settings
from webapp.accounts.keys import NewKey

LOOPBACK = ("127.", "::1", "localhost")
LINES = """\
umask 077
mkdir -p /etc/picket-agent /var/lib/picket-agent
{authority}cat > /etc/picket-agent/agent.conf <<'END'
{config}
END
picket-agent --config /etc/picket-agent/agent.conf"""
AUTHORITY = """\
cat > /etc/picket-agent/ca.pem <<'END'
{certificate}
END
"""


def lines(key: NewKey, web_host: str) -> str:
    """Shell lines for root. Agents are sent to the gateway on the machine that the browser reached."""
    settings = picket.settings.load()
    config = {
        "oauth_key": key.key,
        "oauth_secret": key.secret,
        "endpoint": urlsplit(f"//{web_host}").hostname or "localhost",
        "endpoint_port": str(settings.agents.listen.port),
        "state": "/var/lib/picket-agent",
    }
    certificate = _read(settings.agents.ca or settings.home / "tls" / "ca.pem")
    if certificate:
        config["ca"] = "/etc/picket-agent/ca.pem"
    if certificate and not settings.agents.ca:
        # The certificate of a home's own authority knows the machine by few names, but always by this one.
        config["server_name"] = "localhost"
    return LINES.format(
        authority=AUTHORITY.format(certificate=certificate) if certificate else "",
        config="\n".join(f"{name:<14} {value}" for name, value in config.items()),
    )


def only_here() -> str:
    """Where the gateway listens, if no other machine can reach it there; else nothing."""
    listen = picket.settings.load().agents.listen
    return str(listen) if listen.host.startswith(LOOPBACK) else ""


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
