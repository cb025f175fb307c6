"""The notebooks, run from top to bottom, their outputs compared with the truth of the simulated release."""
