"""Running the host's own programs."""

import subprocess

SECONDS = 10


def run(*argv: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
    """Standard output of a program; OSError with its complaint when it is missing, fails or hangs."""
    try:
        result = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise OSError(f"{argv[0]} took more than {seconds:.0f} s") from None
    if result.returncode:
        complaint = result.stderr.strip() or f"status {result.returncode}"
        raise OSError(f"{' '.join(argv)}: {complaint}")
    return result.stdout
