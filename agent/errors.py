"""Failures that a person is told about."""

EXIT_FAILED = 1
EXIT_PENDING = 3
EXIT_INTERRUPTED = 130


class AgentError(Exception):
    """Shown as its message; code is for scripts (`--json`), exit_code for the shell."""

    def __init__(self, code: str, message: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code, self.message, self.exit_code = code, message, exit_code


def not_registered() -> AgentError:
    """This machine was never enrolled."""
    return AgentError("NOT_REGISTERED", "not registered. Run 'ztna up' first")


def not_authenticated() -> AgentError:
    """No person is signed in."""
    return AgentError("NOT_AUTHENTICATED", "not authenticated. Run 'ztna login' first, then 'ztna up'")


def not_running() -> AgentError:
    """The command needs the daemon."""
    return AgentError("NOT_RUNNING", "VPN not running. Start it with 'ztna up'")
