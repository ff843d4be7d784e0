"""Errors of the `picket` command.

PicketError        one line that says what is wrong and what to do; printed without a traceback
"""


class PicketError(Exception):
    """What keeps a command from working, worded for the person who typed it."""
