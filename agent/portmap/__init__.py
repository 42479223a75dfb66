"""Port mapping: asking the router for an open UDP port by PCP, NAT-PMP or UPnP IGD."""
