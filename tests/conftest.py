"""What every test shares: the reactor, installed before anything imports it, and the real engines."""

from picket import reactor

reactor.install()

pytest_plugins = ["tests.engines", "tests.product"]
