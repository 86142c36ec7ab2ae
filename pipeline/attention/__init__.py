"""From aligned signals to gains: scores, evidence, the posterior, and steering."""
