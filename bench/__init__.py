"""Benchmarks: what the judge costs, and how well it judges beside the rules of its peers."""
