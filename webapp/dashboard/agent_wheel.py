"""The agent as a wheel for other machines, made of the one that is installed here."""

import ast
import functools
import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: {description}
Requires-Python: {python_requires}
"""
WHEEL = """\
Wheel-Version: 1.0
Generator: picket
Root-Is-Purelib: true
Tag: py3-none-any
"""


class AgentWheel(NamedTuple):
    """A file for pip: its name, its bytes, and their SHA-256 in hex digits."""

    name: str
    content: bytes
    sha256: str


@functools.cache
def agent_wheel() -> AgentWheel:
    """Made at the first call; the same bytes in every process of the same version."""
    spec = importlib.util.find_spec("agent")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package `agent` is not installed here")
    folder = Path(spec.origin).parent
    about = _arguments_of_setup(folder / "setup.py")
    stem = f"{about['name'].replace('-', '_')}-{about['version']}"
    content = _packed(dict(_files(folder, about, f"{stem}.dist-info")))
    return AgentWheel(f"{stem}-py3-none-any.whl", content, hashlib.sha256(content).hexdigest())


def _arguments_of_setup(path: Path) -> dict[str, Any]:
    """What `setup(…)` is given; literals all of it, so nothing is run."""
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    return {word.arg: ast.literal_eval(word.value) for word in next(calls).keywords if word.arg}


def _files(folder: Path, about: dict[str, Any], info: str) -> Iterator[tuple[str, str]]:
    for package in sorted(about["packages"]):
        inside = folder.joinpath(*package.split(".")[1:])
        names = sorted(path for path in inside.glob("*.py") if path.name != "setup.py")
        for path in names:
            yield f"{package.replace('.', '/')}/{path.name}", path.read_text("utf-8")
    requires = "".join(f"Requires-Dist: {each}\n" for each in about["install_requires"])
    yield f"{info}/METADATA", METADATA.format(**about) + requires
    yield f"{info}/WHEEL", WHEEL
    commands = "\n".join(about["entry_points"]["console_scripts"])
    yield f"{info}/entry_points.txt", f"[console_scripts]\n{commands}\n"


def _packed(files: dict[str, str]) -> bytes:
    info = next(name.partition("/")[0] for name in files if ".dist-info/" in name)
    record = f"{info}/RECORD"
    files = files | {record: "".join(f"{name},,\n" for name in [*files, record])}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
