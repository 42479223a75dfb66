"""The agent: `ztna`, its daemon and its data plane."""

__version__ = "0.1.0"
