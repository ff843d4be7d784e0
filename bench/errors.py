"""BenchError: the one error of this package."""


class BenchError(Exception):
    """A benchmark cannot run, or its figures would lie; the text says why and what to do about it."""
