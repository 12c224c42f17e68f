"""Checks that `study.doctor` makes."""
