"""Progressive delivery for Istio: moves live traffic to a new version on evidence, and back."""

__version__ = "0.1.0"
