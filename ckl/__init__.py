"""`ckl`, the command-line client of the REST API: what the servers are, and what they measure now."""
