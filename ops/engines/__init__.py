"""Installs, starts and stops the real engines: `python -m ops.engines install|start|stop|status`."""
