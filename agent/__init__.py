"""The agent: measures its machine and keeps one TLS connection to a gateway."""
