"""Channels and data sets: simulators, TFDS builders, tools."""
