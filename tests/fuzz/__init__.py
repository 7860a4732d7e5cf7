"""Fuzzing of what reads bytes of others, guided by coverage: python -m tests.fuzz."""
