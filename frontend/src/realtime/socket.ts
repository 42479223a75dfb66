import { freshToken, onToken, renewToken } from "@/api/token";
import type { LiveEvent } from "./events";

export type SocketState = "connecting" | "open" | "down";

interface Handlers {
  onState: (state: SocketState) => void;
  onEvent: (event: LiveEvent) => void;
  /** Called after a reconnect whose gap the server could not, or need not, replay. */
  onCatchUp: () => void;
}

type ServerMessage =
  | { type: "connected"; seq: number; availableChannels: string[] }
  | ({ type: "event" } & LiveEvent)
  | { type: "pong" | "subscribed" | "authenticated" | "error" };

const PING_MS = 30_000;
const FIRST_WAIT_MS = 1_000;
// A page must be true again within ten seconds of the control plane coming back.
const LONGEST_WAIT_MS = 8_000;
const CREDENTIAL_REFUSED = 4001;
const NO_LONGER_MEMBER = 4003;

/** How long to wait before attempt n (from 0): doubling, capped, with full jitter above half, so that tabs spread out. */
export function backOff(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return ceiling / 2 + (random * ceiling) / 2;
}

/** The tab's one socket to the control plane: subscribes to what pages listen to, lives through cuts, catches up. */
export class RealtimeSocket {
  private socket: WebSocket | null = null;
  private channels = new Map<string, number>();
  private attempt = 0;
  private lastSeq: number | null = null;
  // Raised by stop(): what was begun under an earlier run no longer counts.
  private run = 0;
  private handlers: Handlers = { onState: () => undefined, onEvent: () => undefined, onCatchUp: () => undefined };
  private pinger: ReturnType<typeof setInterval> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private forgetToken: () => void = () => undefined;

  constructor(private readonly orgId: string) {}

  start(handlers: Handlers): void {
    this.handlers = handlers;
    this.forgetToken = onToken((token) => {
      if (token) this.send({ type: "auth", token });
      else this.stop();
    });
    window.addEventListener("online", this.reconnectNow);
    void this.connect();
  }

  /** Listens to the channels until the returned function is called. */
  hold(channels: readonly string[]): () => void {
    const fresh = channels.filter((channel) => this.count(channel, 1) === 1);
    if (fresh.length) this.send({ type: "subscribe", channels: fresh });
    return () => {
      const unused = channels.filter((channel) => this.count(channel, -1) === 0);
      if (unused.length) this.send({ type: "unsubscribe", channels: unused });
    };
  }

  stop(): void {
    this.run += 1;
    this.forgetToken();
    window.removeEventListener("online", this.reconnectNow);
    clearTimeout(this.retry);
    clearInterval(this.pinger);
    this.socket?.close(1000);
    this.socket = null;
  }

  private readonly reconnectNow = () => {
    if (this.socket) return;
    clearTimeout(this.retry);
    this.attempt = 0;
    void this.connect();
  };

  private async connect(): Promise<void> {
    const { run } = this;
    // Between attempts the page keeps saying that it is not live.
    if (this.attempt === 0) this.handlers.onState("connecting");
    const token = await freshToken().catch(() => null);
    if (run !== this.run) return;
    if (token === null) {
      this.scheduleRetry();
      return;
    }
    const url = `${location.origin.replace(/^http/, "ws")}/api/realtime?org_id=${this.orgId}`;
    const socket = new WebSocket(url, ["quickztna.v1", `access_token.${token}`]);
    this.socket = socket;
    socket.onmessage = (message: MessageEvent<string>) => this.receive(JSON.parse(message.data) as ServerMessage);
    socket.onclose = ({ code }) => {
      if (run === this.run) void this.closed(code);
    };
  }

  private receive(message: ServerMessage): void {
    if (message.type === "connected") this.opened(message.seq);
    if (message.type !== "event") return;
    this.lastSeq = message.seq;
    this.handlers.onEvent(message);
  }

  private opened(seq: number): void {
    this.attempt = 0;
    clearInterval(this.pinger);
    this.pinger = setInterval(() => this.send({ type: "ping" }), PING_MS);
    if (this.channels.size) this.send({ type: "subscribe", channels: [...this.channels.keys()] });
    if (this.lastSeq !== null) {
      if (seq > this.lastSeq) this.send({ type: "resume", seq: this.lastSeq });
      this.handlers.onCatchUp();
    }
    this.lastSeq = seq;
    this.handlers.onState("open");
  }

  private async closed(code: number): Promise<void> {
    const { run } = this;
    this.socket = null;
    clearInterval(this.pinger);
    if (code === NO_LONGER_MEMBER) {
      this.stop();
      this.handlers.onCatchUp();
      return;
    }
    if (code === CREDENTIAL_REFUSED) await renewToken().catch(() => undefined);
    if (run === this.run) this.scheduleRetry();
  }

  private scheduleRetry(): void {
    this.handlers.onState("down");
    this.retry = setTimeout(() => void this.connect(), backOff(this.attempt, Math.random()));
    this.attempt += 1;
  }

  private count(channel: string, step: number): number {
    const count = (this.channels.get(channel) ?? 0) + step;
    if (count > 0) this.channels.set(channel, count);
    else this.channels.delete(channel);
    return count;
  }

  private send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
