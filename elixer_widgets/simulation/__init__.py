"""A small synthetic release with known truth, in the real file formats."""

from elixer_widgets.simulation.release import simulate_release

__all__ = ["simulate_release"]
