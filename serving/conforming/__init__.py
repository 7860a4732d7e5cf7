"""The questions that conformance asks of an endpoint, as data."""
