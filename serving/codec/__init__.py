"""The bits that both sides agree on; no TensorFlow but in `frame_graph`."""
