"""Cross-validated evaluation: splits, folds, scores, metrics and results."""
