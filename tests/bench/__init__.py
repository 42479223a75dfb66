"""Benchmarks: each prints one JSON object {"bench", "figures", "ratios"} last."""
