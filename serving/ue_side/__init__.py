"""The phone: encode, frame, send, account for every report."""
