"""Benchmarks: `python -m bench NAME [--quick]`, each beside its peers in the same run."""
