"""Precoder codebooks of TS 38.214: Type I, Type II and enhanced Type II."""
