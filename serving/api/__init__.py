"""The TensorFlow Serving API: gRPC and REST in front of the models."""
