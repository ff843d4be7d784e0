"""Leases in the relational database: of several processes that could do a work, one does it at a time."""
