"""Decoders from runs: runs found and read, decoders and networks trained."""
