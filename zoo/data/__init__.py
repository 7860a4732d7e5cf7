"""CSI of a data set on its way into a network."""
