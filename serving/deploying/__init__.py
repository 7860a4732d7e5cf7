"""From exports to a tree that TensorFlow Serving starts on."""
