"""Channels of one's own as a TFDS data set: own/NAME."""
