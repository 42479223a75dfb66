"""Messages and byte formats that agent, relay and control plane share.

Standard library only and no I/O: each module declares its messages once, encode beside decode.
"""
