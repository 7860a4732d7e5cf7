"""One file for each family of networks; the registry lists them."""
