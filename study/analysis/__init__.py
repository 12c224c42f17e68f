"""From result files to answers: statistics, figures, the report. Starts without torch or Ray."""
