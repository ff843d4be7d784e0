"""The agent: measures its machine, keeps one TLS connection to a gateway; standard library and psutil only."""
