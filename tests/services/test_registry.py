"""Every file of a service is listed, and every listed service is there."""

from pathlib import Path

import pytest

import services
from services.base import Service
from services.registry import SERVICES, UnknownService, find

NOT_SERVICES = {
    "abreast",
    "__init__",
    "asked",
    "base",
    "engines",
    "heart",
    "hosted",
    "paced",
    "passes",
    "periodic",
    "registry",
    "rounds",
    "runner",
    "threads",
    "turns",
}


def unlisted(files: set[str]) -> set[str]:
    return files - NOT_SERVICES - set(SERVICES)


def test_every_file_of_a_service_is_listed() -> None:
    files = {path.stem for path in Path(str(services.__file__)).parent.glob("*.py")}
    assert unlisted(files) == set()


def test_a_file_that_is_not_listed_is_found() -> None:
    assert unlisted({"archive", "base", "forgotten"}) == {"forgotten"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_listed_service_is_there_and_says_what_it_does(name: str) -> None:
    service = find(name)
    assert issubclass(service, Service)
    assert service.name == name
    assert service.__module__ == f"services.{name}"
    assert service.__doc__


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(UnknownService, match=r"no service 'archiv'; there are: archive, compact, directory"):
        find("archiv")
