"""EngineError: the one error of this package."""


class EngineError(Exception):
    """An engine can't be installed, started or asked; the text says which, why, and what to do about it."""
