"""Traffic of network interfaces, per second."""

from pathlib import Path

import psutil

from agent.checks.result import CheckFailed, Request, Result, each, human
from agent.checks.samples import Samples

VIRTUAL = ("veth", "br-", "docker", "virbr", "cali", "cni", "flannel", "lxc")
"""Ends of containers and the bridges between them: their traffic passes the real interface, too."""


def check(request: Request, samples: Samples) -> list[Result]:
    """One result an interface: those asked for, or each real one that has traffic."""
    found = psutil.net_io_counters(pernic=True)
    counters = {name: _counters(name, counts) for name, counts in found.items()}

    def one(interface: str) -> Result:
        if interface not in counters:
            raise CheckFailed(f"interface {interface} not found or missing traffic")
        counts = counters[interface]
        rates = samples.rates(request.check, interface, counts)
        return Result(request.check, interface, "ok", _status(interface, counts), {**rates}, [*rates])

    return each(request, request.instances("if_name") or busy(counters), one)


def busy(counters: dict[str, dict[str, float]]) -> list[str]:
    """The real interfaces with traffic; the loopback only if there is no other."""
    used = [name for name, counts in counters.items() if counts["in_bytes"] + counts["out_bytes"]]
    real = [name for name in used if not name.startswith(VIRTUAL) and not name.startswith("lo")]
    return sorted(real) or [name for name in used if name.startswith("lo")]


def _counters(name: str, counts: "psutil._ntuples.snetio") -> dict[str, float]:
    return {
        "in_bytes": counts.bytes_recv,
        "in_packets": counts.packets_recv,
        "in_err": counts.errin,
        **_multicast(name),
        "out_bytes": counts.bytes_sent,
        "out_packets": counts.packets_sent,
        "out_err": counts.errout,
    }


def _multicast(name: str) -> dict[str, float]:
    try:
        return {"in_mcast": int(Path("/sys/class/net", name, "statistics/multicast").read_text())}
    except (OSError, ValueError):
        return {}


def _status(name: str, counts: dict[str, float]) -> str:
    volume = f"{human(counts['in_bytes'])}/{human(counts['out_bytes'])}"
    return f"interface {name} in/out:{volume}, in/out packets:{counts['in_packets']}/{counts['out_packets']}"
