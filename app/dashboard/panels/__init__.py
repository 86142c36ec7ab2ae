"""The panels of the live page. Each shows one thing and is independent of the others."""
