"""What every test shares: the reactor, installed before anything imports it, and the real engines."""

import uvloop
from twisted.internet import asyncioreactor

asyncioreactor.install(uvloop.new_event_loop())

pytest_plugins = ["tests.engines", "tests.product"]
