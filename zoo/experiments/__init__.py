"""Tables and figures of the papers as programs: see python -m zoo.reproduce --list."""
