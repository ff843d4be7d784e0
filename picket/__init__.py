"""The `picket` command, its settings, and the wiring of every part into one process or many."""
