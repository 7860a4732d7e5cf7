"""Between encoder and decoder"""
