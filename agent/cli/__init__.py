"""The command line: every command parses, calls, prints. Heavy imports happen inside commands."""
