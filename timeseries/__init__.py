"""Time series: frames as agents send them, the stores that keep them, and the queries that read them back."""
