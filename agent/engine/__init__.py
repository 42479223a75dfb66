"""Decisions without I/O: no socket, no await, no clock. Time and randomness are arguments."""
