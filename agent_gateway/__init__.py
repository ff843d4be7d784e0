"""The TLS endpoint that agents connect to: authenticates them, checks frames once, publishes them in batches."""
