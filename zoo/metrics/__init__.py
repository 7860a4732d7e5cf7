"""What is measured: accuracy of CSI, the KLT line, cost of a network."""
