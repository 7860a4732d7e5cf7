"""What is measured: accuracy of CSI, the KLT line, the cost of a network."""
