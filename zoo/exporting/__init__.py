"""What leaves the building: graphs of both sides, written and verified."""
