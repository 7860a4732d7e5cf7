"""Between encoder and decoder: quantiser, entropy coder, noisy channel."""
