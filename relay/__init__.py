"""Relay and STUN server: moves sealed packets between machines and can read none."""
