"""Every write to policy."""
