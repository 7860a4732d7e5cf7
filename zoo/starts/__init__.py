"""Fitted initial weights: networks that start as the linear KLT codec."""
