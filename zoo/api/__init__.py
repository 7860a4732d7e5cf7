"""What `import zoo` offers: networks, codecs, and the commands as functions."""
