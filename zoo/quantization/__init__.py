"""Encoders in fewer bits: calibrated, fine-tuned, pruned, and their files."""
