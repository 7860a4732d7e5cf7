"""Weights from elsewhere: published files, and those that come with the zoo."""
