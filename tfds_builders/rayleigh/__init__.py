"""Rayleigh-fading taps, the system model of the CLLWCsiNet paper."""
