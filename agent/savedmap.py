"""The last good netmap on disk: the tunnel works before the control plane answers."""

import logging

from agent.errors import AgentError
from agent.state import Store
from wire.binary import WireError
from wire.netmap import Netmap

logger = logging.getLogger("agent.daemon")

FILE = "netmap.json"


class SavedMap:
    """Written at a steady pace, not with each of a burst of changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaved: Netmap | None = None

    def changed(self, netmap: Netmap) -> None:
        """To be written by the next flush."""
        self._unsaved = netmap

    def load(self) -> Netmap | None:
        """The saved map; one that is of no use is as good as none."""
        try:
            document = self._store.load_json(FILE)
            return None if document is None else Netmap.from_json(document)
        except (AgentError, WireError) as error:
            logger.warning("the saved map is of no use: %s", error)
            return None

    def flush(self) -> None:
        """Write what changed; a full disk is logged once for each change."""
        netmap, self._unsaved = self._unsaved, None
        if netmap is not None:
            try:
                self._store.save_json(FILE, netmap.to_json())
            except AgentError as error:
                logger.error("%s", error)
