"""The TLS endpoint of agents: authenticates them, checks frames once, publishes them in batches."""
