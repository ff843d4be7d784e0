"""The tests: tests/<folder>/test_<module>.py mirrors the code; contract, integration and browser beside."""
