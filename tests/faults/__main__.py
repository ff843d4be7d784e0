"""`python -m tests.faults ROLE FOLDER NAME` runs one process of a load."""

import sys

from picket import reactor

if __name__ == "__main__":
    reactor.install()
    from tests.faults.process import run

    sys.exit(run(*sys.argv[1:]))
