"""Thin translations between the engine's ports and the world: Kubernetes, Istio, Prometheus, metrics."""
