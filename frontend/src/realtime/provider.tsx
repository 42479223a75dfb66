import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { concerns, patchCache, staleTopics, type LiveEvent } from "./events";
import { settle } from "./settle";
import { RealtimeSocket, type SocketState } from "./socket";

interface Live {
  state: SocketState;
  socket: RealtimeSocket | null;
}

const LiveContext = createContext<Live>({ state: "connecting", socket: null });
const POLL_MS = 30_000;

/**
 * Keeps one socket for the organisation and works its events into the query cache; polls while the socket is down.
 * Give it the organisation's id as key: a socket belongs to one organisation for life.
 */
export function RealtimeProvider({ orgId, children }: { orgId: string; children: ReactNode }) {
  const client = useQueryClient();
  const [socket] = useState(() => new RealtimeSocket(orgId));
  const [state, setState] = useState<SocketState>("connecting");

  useEffect(() => {
    const refetch = collectRefetches(client, orgId);
    const refetchAll = () => void client.invalidateQueries({ queryKey: ["org", orgId] });
    socket.start({
      onState: setState,
      onEvent: (event) => {
        patchCache(client, orgId, event);
        refetch.after(event);
      },
      onCatchUp: refetchAll,
    });
    return () => {
      refetch.cancel();
      socket.stop();
    };
  }, [client, orgId, socket]);

  useEffect(() => {
    if (state === "open") return;
    const poll = setInterval(() => void client.invalidateQueries({ queryKey: ["org", orgId] }), POLL_MS);
    return () => clearInterval(poll);
  }, [client, orgId, state]);

  const live = useMemo(() => ({ state, socket }), [state, socket]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useSocketState(): SocketState {
  return useContext(LiveContext).state;
}

/** Listens to the channels for as long as the component is on screen. */
export function useChannels(...channels: string[]): void {
  const { socket } = useContext(LiveContext);
  const wanted = channels.join();
  useEffect(() => socket?.hold(wanted.split(",")), [socket, wanted]);
}

function collectRefetches(client: QueryClient, orgId: string) {
  const pending = new Map<string, string[] | null>();
  const { touch, cancel } = settle(() => {
    const batch = new Map(pending);
    pending.clear();
    void client.invalidateQueries({
      predicate: ({ queryKey: [scope, org, topic, ...rest] }) => {
        const changed = batch.get(String(topic));
        return scope === "org" && org === orgId && changed !== undefined && concerns(rest, changed);
      },
    });
  });
  return {
    cancel,
    after(event: LiveEvent) {
      for (const { topic, changed } of staleTopics(event)) {
        const known = pending.get(topic);
        pending.set(topic, known === null || changed === null ? null : [...(known ?? []), ...changed]);
      }
      touch();
    },
  };
}
