"""Channels and data sets: simulators, TFDS builders, tools."""

from tfds_builders import quiet

quiet.start_command()
