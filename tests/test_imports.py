"""Imports go one way: each folder imports what docs/architecture.md lets it, nothing else of the house."""

import ast
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HOUSE = {
    *("agent", "agent_gateway", "bench", "ckl", "eventframework", "ops", "picket", "rpc", "services"),
    *("statslib", "tests", "timeseries", "webapp"),
}
LEAVES = {"statslib", "picket.correlation", "picket.settings"}
PLUMBING = {"eventframework", "timeseries", "rpc"} | LEAVES

MAY_IMPORT = {
    "statslib": {"statslib"},
    "picket.correlation": set(),
    "picket.settings": set(),
    "eventframework": {"eventframework"} | LEAVES,
    "timeseries": {"timeseries"} | LEAVES,
    "rpc": {"rpc"} | LEAVES,
    "agent_gateway": {"agent_gateway", "agent.wire"} | PLUMBING,
    "webapp": {"webapp"} | PLUMBING,
    "services": {"services", "webapp"} | PLUMBING,
    "ckl": {"ckl"} | LEAVES,
    "picket": HOUSE - {"bench", "ops", "tests"},
    "agent.wire": set(),
    "agent": {"agent"},
}
"""Of the house, what a module may import; the longest name that fits it decides."""

OUTSIDE = {
    "agent.wire": set(),
    "agent": {"psutil"},
    "picket.correlation": set(),
    "picket.settings": {"pydantic", "pydantic_settings"},
}
"""Who may import only these and the standard library (of any Python that the agent runs on)."""

STANDARD = sys.stdlib_module_names | {"compression"}


def wrong_imports(module: str, source: str) -> list[str]:
    """The imports of a module's source that go the wrong way, as `line: module imports other`."""
    rule = owner(module, MAY_IMPORT)
    return [
        f"{line}: {module} imports {name}"
        for line, name in imports(module, ast.parse(source))
        if not is_allowed(name, rule)
    ]


def imports(module: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported anywhere, in functions too; `from a import b` is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            within = module.split(".")[: -node.level] if node.level else []
            start = ".".join([*within, *filter(None, [node.module])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def is_allowed(name: str, rule: str) -> bool:
    top = name.partition(".")[0]
    if top in HOUSE:
        return any(name == may or name.startswith(f"{may}.") for may in MAY_IMPORT[rule])
    return rule not in OUTSIDE or top in STANDARD | OUTSIDE[rule]


def owner(module: str, rules: dict[str, set[str]]) -> str:
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next(name for name in names if name in rules)


def modules() -> dict[str, Path]:
    """Every module of the folders that have a rule, by dotted name."""
    folders = {name.partition(".")[0] for name in MAY_IMPORT}
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    ]
    return {dotted(path): path for path in files if path.name != "setup.py"}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.fixture(autouse=True)
def _no_finalizer_in_the_middle() -> Iterator[None]:
    """Python 3.11 formats a traceback with `ast`, which must not happen while `ast` is at work here.

    A failed Deferred of an earlier test logs its traceback when the collector finds it.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_every_import_goes_one_way() -> None:
    found = {name: wrong_imports(name, path.read_text()) for name, path in modules().items()}
    assert [line for lines in found.values() for line in lines] == []


def test_every_folder_of_the_house_has_a_rule_or_is_no_part_of_the_product() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    ruled = {name.partition(".")[0] for name in MAY_IMPORT}
    assert folders - ruled <= {"bench", "ops", "tests"}
    assert len(modules()) > 30


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("statslib.stats", "import rpc.errors"),
        ("statslib.web", "from picket import settings"),
        ("picket.settings", "from statslib import Stats"),
        ("picket.correlation", "from picket import settings"),
        ("picket.settings", "import django.conf"),
        ("eventframework.memory", "from timeseries.frames import Frame"),
        ("rpc.server", "def f():\n    import eventframework"),
        ("timeseries.sqlite", "from picket.tls import ensure"),
        ("agent_gateway.gateway", "from agent import spool"),
        ("agent_gateway.gateway", "from webapp.nodes import enrol"),
        ("webapp.nodes.enrol", "import services.directory"),
        ("webapp.settings", "from picket import home"),
        ("services.live", "from picket.process import serve"),
        ("services.live", "from agent.wire import ack"),
        ("services.live", "import ops.engines"),
        ("agent.wire", "from agent import spool"),
        ("agent.wire", "from . import spool"),
        ("agent.wire", "import psutil"),
        ("agent.checks.cpu", "import twisted.internet"),
        ("agent.spool", "from statslib import Stats"),
        ("ckl.main", "from webapp import backend"),
        ("picket.cli", "from tests import product"),
    ],
)
def test_an_import_the_wrong_way_is_found(module: str, source: str) -> None:
    assert len(wrong_imports(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("eventframework.memory", "import picket.settings\nfrom statslib import Stats"),
        ("agent_gateway.gateway", "from agent import wire\nfrom agent.wire import ack\nimport rpc.client"),
        ("webapp.settings", "from picket.settings import load\nfrom rpc import idl\nimport django"),
        ("services.live", "from webapp.dashboard.latest import Latest\nfrom picket import settings"),
        ("agent.checks.cpu", "import psutil\nimport asyncio\nfrom agent import wire\nfrom . import disk"),
        ("picket.standalone", "import agent.main, services.runner, agent_gateway.gateway"),
    ],
)
def test_an_import_the_right_way_passes(module: str, source: str) -> None:
    assert wrong_imports(module, source) == []
