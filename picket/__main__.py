"""`python -m picket` is the `picket` command."""

from picket.cli import main

main()
