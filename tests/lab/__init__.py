"""Hosts, NATs and links in network namespaces, from a short Python description."""
