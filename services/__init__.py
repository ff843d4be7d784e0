"""Picket's services, one a file; `registry` lists them, `runner` hosts one or many in a process."""
