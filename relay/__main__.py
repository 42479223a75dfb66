"""`python -m relay`: run a relay with the settings of the environment."""

import logging
import os
import sys

from relay.config import ConfigError, from_environment
from relay.run import run
from relay.tls import TlsUnavailable


def main() -> int:
    """Exit status: 0 after a clean stop, 1 when it cannot serve, 2 for a wrong setting."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")
    try:
        config = from_environment(os.environ)
    except ConfigError as error:
        print(f"relay: {error}", file=sys.stderr)
        return 2
    try:
        run(config)
    except (OSError, TlsUnavailable) as error:
        print(f"relay: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
