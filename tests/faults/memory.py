"""The memory of processes while something runs, in bytes of resident set size."""

import psutil

from tests.faults.background import Background

EVERY_S = 0.05


class Memory(Background):
    """Looks at processes (by name and pid) from `with` on; `grown_mb` is how much each has grown at most."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__()
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._first = {name: _rss(process) for name, process in self._processes.items()}
        self._most = dict(self._first)

    @property
    def grown_mb(self) -> dict[str, int]:
        """By name, from the first look to the largest size seen."""
        return {name: (most - self._first[name]) >> 20 for name, most in self._most.items()}

    @property
    def ratio(self) -> dict[str, float]:
        """By name, the largest size seen over that of the first look."""
        return {name: most / self._first[name] for name, most in self._most.items()}

    def __str__(self) -> str:
        return "memory: " + ", ".join(
            f"{name} {most >> 20} MB (+{self.grown_mb[name]})" for name, most in self._most.items()
        )

    def run(self) -> None:
        """Look at all, again and again."""
        while not self.over.wait(EVERY_S):
            for name, process in self._processes.items():
                self._most[name] = max(self._most[name], _rss(process))


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
