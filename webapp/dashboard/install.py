"""The lines that install and start an agent on another machine, and the agent that they fetch."""

from pathlib import Path
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

import picket.settings
from picket.settings import Endpoint
from webapp import backend
from webapp.accounts.keys import NewKey
from webapp.dashboard.agent_wheel import agent_wheel

LOOPBACK = ("127.", "::1", "localhost")
LINES = """\
(
set -eu
umask 077
mkdir -p /etc/picket-agent /var/lib/picket-agent
python3 -m venv /opt/picket-agent
/opt/picket-agent/bin/pip install --quiet --force-reinstall '{wheel}'
{authority}cat > /etc/picket-agent/agent.conf <<'END'
{config}
END
if [ -d /run/systemd/system ]; then
cat > /etc/systemd/system/picket-agent.service <<'END'
[Unit]
Description=Picket agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/opt/picket-agent/bin/picket-agent --config /etc/picket-agent/agent.conf
Restart=always
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=strict
StateDirectory=picket-agent

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable picket-agent
systemctl restart picket-agent
else
exec /opt/picket-agent/bin/picket-agent --config /etc/picket-agent/agent.conf
fi
)"""
AUTHORITY = """\
cat > /etc/picket-agent/ca.pem <<'END'
{certificate}
END
"""


def wheel(_request: HttpRequest, name: str) -> HttpResponse:
    """The agent, for pip. There is nothing secret in it, and pip has no session."""
    made = agent_wheel()
    if name != made.name:
        raise Http404(f"the agent is {made.name}")
    return HttpResponse(made.content, content_type="application/octet-stream")


def lines(key: NewKey, request: HttpRequest) -> str:
    """Shell lines for root. The agent comes from where the browser found this page."""
    settings = picket.settings.load()
    gateway = settings.agents.public_address or Endpoint(_host_of(request), backend.agents_port())
    config = {
        "oauth_key": key.key,
        "oauth_secret": key.secret,
        "endpoint": gateway.host,
        "endpoint_port": str(gateway.port),
        "state": "/var/lib/picket-agent",
    }
    certificate = _read(settings.agents.ca or settings.home / "tls" / "ca.pem")
    if certificate:
        config["ca"] = "/etc/picket-agent/ca.pem"
    if certificate and not settings.agents.ca:
        # The certificate of a home's own authority knows the machine by few names, but always by this one.
        config["server_name"] = "localhost"
    return LINES.format(
        wheel=_wheel_url(request),
        authority=AUTHORITY.format(certificate=certificate) if certificate else "",
        config="\n".join(f"{name:<14} {value}" for name, value in config.items()),
    )


def only_here() -> str:
    """Where the gateway listens, if no other machine can reach it there; else nothing."""
    agents = picket.settings.load().agents
    if agents.public_address or not agents.listen.host.startswith(LOOPBACK):
        return ""
    return str(Endpoint(agents.listen.host, backend.agents_port()))


def _host_of(request: HttpRequest) -> str:
    return urlsplit(f"//{request.get_host()}").hostname or "localhost"


def _wheel_url(request: HttpRequest) -> str:
    made = agent_wheel()
    return f"{request.build_absolute_uri(reverse('agent-wheel', args=[made.name]))}#sha256={made.sha256}"


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""
