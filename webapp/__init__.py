"""The Django project: accounts, nodes, the REST API and the dashboard."""
