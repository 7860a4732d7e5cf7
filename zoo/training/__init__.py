"""From a configuration to trained weights, and what they measure."""
