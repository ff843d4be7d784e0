"""How full file systems are."""

import os
from pathlib import Path

import psutil

from agent.checks.result import CheckFailed, Request, Result, each, human
from agent.checks.samples import Samples

ALWAYS_FULL = frozenset({"squashfs", "iso9660", "udf", "erofs"})


def check(request: Request, samples: Samples) -> list[Result]:  # noqa: ARG001 - one signature for all
    """One result a path: those asked for, or each real file system that is mounted."""
    return each(request, request.instances("path") or mounted(), lambda path: _usage(request.check, path))


def mounted() -> list[str]:
    """Where file systems on devices are mounted, each device once, `/` first."""
    paths: dict[str, str] = {}
    for partition in sorted(psutil.disk_partitions(all=False), key=lambda found: len(found.mountpoint)):
        path = partition.mountpoint
        if partition.fstype not in ALWAYS_FULL and path != "/" and Path(path).is_dir():
            paths.setdefault(partition.device, path)
    root = next((p.device for p in psutil.disk_partitions(all=False) if p.mountpoint == "/"), "")
    paths.pop(root, None)
    return ["/", *paths.values()]


def _usage(name: str, path: str) -> Result:
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise CheckFailed(f"{path}: {error.strerror}") from error
    used = found.f_blocks - found.f_bfree
    usable = used + found.f_bavail
    capacity = round(100 * used / usable, 2) if usable else 0.0
    total, taken, free = (human(n * found.f_frsize) for n in (found.f_blocks, used, found.f_bfree))
    status = f"capacity: {capacity:.2f}% total: {total}, used: {taken}, free: {free}"
    metrics: dict[str, int | float | str] = {
        "capacity": capacity,
        "bsize": found.f_frsize,
        "blocks": found.f_blocks,
        "bfree": found.f_bfree,
        "bavail": found.f_bavail,
    }
    return Result(name, path, "ok", status, metrics)
