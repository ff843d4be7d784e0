"""What a process of ours shows of itself at its `stats.listen`."""

import urllib.request

from picket.settings import Endpoint


def shown(stats: Endpoint, name: str) -> float:
    """The value of a counter or gauge on its page `/metrics`; 0 where there is none."""
    with urllib.request.urlopen(f"http://{stats}/metrics", timeout=10) as page:
        lines = [line.split() for line in page.read().decode().splitlines()]
    return next((float(words[1]) for words in lines if words[0] == name), 0.0)
