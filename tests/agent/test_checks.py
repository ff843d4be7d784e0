"""What checks measure, on this very machine: the names that graphs know, within what is possible."""

from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pytest

from agent.checks import CHECKS, Request, Result, Samples, disk, net
from agent.checks.result import each, human


def measure(name: str, *, key: str = "", params: dict[str, object] | None = None) -> list[Result]:
    return CHECKS[name](Request(name, key, params or {}), Samples())


def one(name: str, **request: object) -> Result:
    (result,) = measure(name, **request)  # type: ignore[arg-type]
    assert (result.check, result.state) == (name, "ok")
    return result


def test_shares_of_the_processors_add_up_to_a_hundred() -> None:
    result = one("cpu")
    shares = {name: float(value) for name, value in result.metrics.items() if name.startswith("cpu_")}
    assert set(shares) == {"cpu_user", "cpu_sys", "cpu_idle", "cpu_iowait", "cpu_irq", "cpu_steal"}
    assert sum(shares.values()) == pytest.approx(100, abs=0.1)
    assert result.rates == ["intr"]
    assert result.status.startswith(f"user:{shares['cpu_user']:.2f}% system:")


def test_memory_is_in_bytes_and_as_a_percentage() -> None:
    metrics = one("mem").metrics
    assert metrics["mem_total"] == psutil.virtual_memory().total
    assert metrics["mem_percent_used"] == round(100 * int(metrics["mem_used"]) / int(metrics["mem_total"]), 2)
    assert {"mem_free", "swap_total", "swap_used"} < metrics.keys()


def test_the_load_has_three_averages() -> None:
    result = one("loadaverage")
    assert list(result.metrics) == ["loadaverage_1m", "loadaverage_5m", "loadaverage_15m"]
    assert result.status.startswith("load average: ")


def test_processes_are_counted() -> None:
    assert int(one("processes").metrics["processes_total"]) > 1


def test_a_file_system_is_as_full_as_df_says() -> None:
    result = one("disk", params={"path": ["/"]})
    blocks, free, available = (int(result.metrics[name]) for name in ("blocks", "bfree", "bavail"))
    used = blocks - free
    assert result.key == "/"
    assert result.metrics["capacity"] == pytest.approx(100 * used / (used + available), abs=0.01)


def test_without_a_path_each_file_system_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def partition(device: str, path: str, kind: str = "ext4") -> SimpleNamespace:
        return SimpleNamespace(device=device, mountpoint=path, fstype=kind)

    found = [
        partition("/dev/b", "/tmp"),
        partition("/dev/a", "/"),
        partition("/dev/a", "/usr"),
        partition("/dev/b", "/usr/bin"),
        partition("/dev/loop0", "/etc", "squashfs"),
        partition("/dev/c", "/etc/hosts"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)  # noqa: A006
    assert disk.mounted() == ["/", "/tmp"]


def test_a_path_that_is_not_there_fails_without_hurting_the_others() -> None:
    missing, root = measure("disk", params={"path": ["/nowhere", "/"]})
    assert (missing.key, missing.state) == ("/nowhere", "err")
    assert missing.status == "/nowhere: No such file or directory"
    assert root.state == "ok"


def test_the_key_names_the_instance_too() -> None:
    assert one("disk", key="/").key == "/"


def test_traffic_is_a_rate_and_missing_at_first() -> None:
    now = iter([10.0, 12.0])
    samples = Samples(lambda: next(now))
    request = Request("net", "lo")
    (first,) = CHECKS["net"](request, samples)
    (second,) = CHECKS["net"](request, samples)
    assert first.metrics == {}
    assert {
        "in_bytes",
        "in_packets",
        "in_err",
        "out_bytes",
        "out_packets",
        "out_err",
    } <= second.metrics.keys()
    assert second.rates == list(second.metrics)


def test_an_interface_that_is_not_there_is_an_error() -> None:
    (result,) = measure("net", params={"if_name": ["nope0"]})
    assert (result.state, result.status) == ("err", "interface nope0 not found or missing traffic")


@pytest.mark.parametrize(
    ("traffic", "chosen"),
    [
        ({"eth1": 5, "eth0": 5, "lo": 5, "veth12": 5, "idle0": 0}, ["eth0", "eth1"]),
        ({"lo": 5, "eth0": 0}, ["lo"]),
        ({}, []),
    ],
)
def test_real_interfaces_with_traffic_are_chosen(traffic: dict[str, float], chosen: list[str]) -> None:
    assert net.busy({name: {"in_bytes": n, "out_bytes": 0} for name, n in traffic.items()}) == chosen


def test_block_devices_that_were_never_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = {
        name: SimpleNamespace(read_count=reads, write_count=7) for name, reads in (("a", 3), ("b", 0))
    }
    monkeypatch.setattr(psutil, "disk_io_counters", lambda perdisk: counters)
    monkeypatch.setattr("agent.checks.io._is_whole", lambda name: True)
    now = iter([1.0, 2.0])
    samples = Samples(lambda: next(now))
    for _ in range(2):
        (result,) = CHECKS["io"](Request("io"), samples)
    assert result.metrics == {"a_reads": 0, "a_writes": 0}
    assert result.status == "1 block devices found"


def test_whatever_a_check_raises_becomes_its_result() -> None:
    def fails(_instance: str) -> Result:
        raise ZeroDivisionError("by zero")

    (result,) = each(Request("disk"), ["/"], fails)
    assert (result.state, result.status) == ("err", "ZeroDivisionError: by zero")


@pytest.mark.parametrize(("size", "text"), [(0, "0.00  B"), (3.87 * 2**30, "3.87 GB"), (1024, "1.00 KB")])
def test_sizes_read_as_the_original_wrote_them(size: float, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_answers_in_the_form_of_a_frame(
    check: Callable[[Request, Samples], list[Result]],
) -> None:
    for result in check(Request("any"), Samples()):
        assert set(result.as_json()) == {"check", "key", "state", "status", "metrics", "rates"}
        assert set(result.rates) <= set(result.metrics)
