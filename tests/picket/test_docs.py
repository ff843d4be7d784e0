"""The documentation says what there is: every setting, every service."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from picket.settings import Settings
from services.registry import SERVICES

ROOT = Path(__file__).parents[2]


def names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_is_documented_and_none_that_is_gone() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = {name.strip(" `") for row in rows for name in row.split(",")}
    assert documented == set(names(Settings))


def test_every_service_is_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    assert [name for name in SERVICES if f"`{name}`" not in text] == []
