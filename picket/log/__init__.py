"""What server processes log: one stream of records for Twisted's loggers and the standard library's.

`begin` starts it; docs/logging.md says what a line holds and what never gets into one.
"""
