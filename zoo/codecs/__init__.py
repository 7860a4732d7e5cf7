"""Codecs without a network: fitted in seconds, compared at equal bits."""
