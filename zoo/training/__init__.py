"""From a configuration to trained weights, and to what they measure."""
