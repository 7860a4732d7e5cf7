"""COST2100 channels, simulated."""
