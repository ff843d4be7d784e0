"""Servers of others that do the same job, measured beside ours on the same points."""
