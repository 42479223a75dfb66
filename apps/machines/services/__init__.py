"""Every write to machines, auth keys, key exchanges and commands."""
