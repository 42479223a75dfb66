"""Looking at the network and at the daemon itself, without changing either."""
