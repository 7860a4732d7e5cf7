"""COST2100 channels as they were published, from .mat files."""
