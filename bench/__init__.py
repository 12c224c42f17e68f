"""This study against what people would use instead: the two in turn, in one run, on the same checkpoint and texts.

One file a row of the table; each runs alone (`python -m bench.encode --quick`), and `python -m bench.report` runs them
all and writes the dated report. Nothing in `study` or `tasks` imports this package.
"""
