"""Files of others: their sizes, links and types are looked at before they are read."""
