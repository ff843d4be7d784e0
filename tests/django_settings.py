"""The Django settings of tests: those of the product, with a home and a secret of the test run's own."""

import atexit
import os
import shutil
import tempfile

os.environ["PICKET_HOME"] = _home = tempfile.mkdtemp(prefix="picket-test-")
os.environ["PICKET_SECRET_KEY"] = "a secret key that only tests use"
atexit.register(shutil.rmtree, _home, ignore_errors=True)

from webapp.settings import *  # noqa: E402, F403
