"""3GPP TR 38.901 channels, simulated."""
