"""The Java that Cassandra and Solr run on."""

import os
import re
import subprocess
from pathlib import Path

from ops.engines.engine import program

# The newest that Cassandra 5 supports; the JDK, as Solr's starter is a source file.
PACKAGE = "openjdk-17-jdk-headless"


def java() -> str:
    """The path of a Java 17, or "" when there is none."""
    places = sorted(str(path) for path in Path("/usr/lib/jvm").glob("*17*/bin"))
    home = os.environ.get("JAVA_HOME")
    for found in [
        program("java", place) for place in (*places, *([f"{home}/bin"] if home else []), os.defpath)
    ]:
        if found and _is_17(found):
            return found
    return ""


def packages() -> tuple[str, ...]:
    """The Debian packages still needed to run Java and to fetch jars."""
    wanted = {PACKAGE: java(), "maven": program("mvn")}
    return tuple(package for package, found in wanted.items() if not found)


def _is_17(path: str) -> bool:
    version = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    return re.search(r'version "17\b', version) is not None
