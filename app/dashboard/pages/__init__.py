"""The pages: start, set-up, calibration, live and review."""
