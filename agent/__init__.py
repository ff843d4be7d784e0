"""The agent: measures its machine and keeps one TLS connection to a gateway. Standard library and psutil only."""
