"""What this host says of its health. Unknown is told as unknown, with its reason, and never as good."""
