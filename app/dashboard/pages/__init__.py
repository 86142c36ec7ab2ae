"""The pages: start, setup, live, calibration and review, and the participant screen."""
