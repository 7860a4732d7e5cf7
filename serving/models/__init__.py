"""Models of the reference server: loaded, batched, configured, watched."""
