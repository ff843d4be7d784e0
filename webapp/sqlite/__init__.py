"""Django's SQLite engine, with writers of one process in a queue."""
