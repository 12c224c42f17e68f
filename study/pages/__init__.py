"""Pages for users: charts, the report, the model card, the dashboard. Imports neither torch nor Ray."""
