"""A tunnel without root: the device lives in a user and network namespace that the agent made.

Programs of this host do not see it. They get in by `ztna nc`, `ztna ssh` and a SOCKS5 or HTTP proxy,
whose sockets are made inside and handed out (unix(7), SCM_RIGHTS).
"""
