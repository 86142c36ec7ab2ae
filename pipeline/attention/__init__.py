"""Computation of gains from aligned signals: scores, evidence, posterior and steering."""
