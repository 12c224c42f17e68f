"""What the user sees: charts, the report, the model card, the dashboard. Imports neither torch nor Ray."""
