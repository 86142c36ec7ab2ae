"""The panels of the live page: each shows one thing, and knows nothing of the others."""
