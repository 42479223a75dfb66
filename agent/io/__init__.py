"""Sockets, control plane, relay link and WireGuard: they move bytes and decide nothing."""
