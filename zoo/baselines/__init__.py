"""Classic CSI feedback without a network, to compare networks with."""
