"""The REST API: versions 1.0 and 2.0, with the original's resource names and fields."""
