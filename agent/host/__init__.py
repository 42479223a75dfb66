"""What the agent changes on its host: packet filter, names, routes; each with its undo on disk first."""
