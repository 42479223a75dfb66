import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dropToken, holdToken } from "@/api/token";
import { RealtimeSocket, type SocketState } from "./socket";

/** The browser's end of a WebSocket, driven by the test as the server would. */
class WireSocket {
  static readonly OPEN = 1;
  static all: WireSocket[] = [];
  static get last(): WireSocket {
    const socket = WireSocket.all.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  readyState = WireSocket.OPEN;
  sent: unknown[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    WireSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  says(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  cut(code: number) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

const states: SocketState[] = [];
const onEvent = vi.fn();
const onCatchUp = vi.fn();
let socket: RealtimeSocket;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", WireSocket);
  WireSocket.all = [];
  states.length = 0;
  onEvent.mockReset();
  onCatchUp.mockReset();
  holdToken({ token: "jwt", expires_in: 3600 });
  socket = new RealtimeSocket("org-1");
  socket.start({ onState: (state) => states.push(state), onEvent, onCatchUp });
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  socket.stop();
  dropToken();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const connected = (seq: number) => ({ type: "connected", seq, availableChannels: ["machines"] });

describe("RealtimeSocket", () => {
  it("carries the token in the subprotocol, never in the address", () => {
    expect(WireSocket.last.protocols).toEqual(["quickztna.v1", "access_token.jwt"]);
    expect(WireSocket.last.url).toMatch(/\/api\/realtime\?org_id=org-1$/);
  });

  it("subscribes for the first page that listens and unsubscribes after the last", () => {
    WireSocket.last.says(connected(1));
    const first = socket.hold(["machines"]);
    const second = socket.hold(["machines", "members"]);
    first();
    second();
    expect(WireSocket.last.sent).toEqual([
      { type: "subscribe", channels: ["machines"] },
      { type: "subscribe", channels: ["members"] },
      { type: "unsubscribe", channels: ["machines", "members"] },
    ]);
  });

  it("pings every 30 s", async () => {
    WireSocket.last.says(connected(1));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(WireSocket.last.sent).toEqual([{ type: "ping" }, { type: "ping" }]);
  });

  it("comes back after a cut, takes its channels up again and asks for what it missed", async () => {
    WireSocket.last.says(connected(4));
    socket.hold(["machines"]);
    WireSocket.last.says({ type: "event", channel: "machines", event: "UPDATE", table: "machines", payload: { id: "a" }, seq: 5 });
    WireSocket.last.cut(1006);
    expect(states.at(-1)).toBe("down");
    await vi.advanceTimersByTimeAsync(1_000);
    WireSocket.last.says(connected(9));
    expect(WireSocket.all).toHaveLength(2);
    expect(WireSocket.last.sent).toEqual([
      { type: "subscribe", channels: ["machines"] },
      { type: "resume", seq: 5 },
    ]);
    expect(onCatchUp).toHaveBeenCalledTimes(1);
    expect(states.at(-1)).toBe("open");
  });

  it("hands a renewed token to the open socket", () => {
    WireSocket.last.says(connected(1));
    holdToken({ token: "next", expires_in: 3600 });
    expect(WireSocket.last.sent).toEqual([{ type: "auth", token: "next" }]);
  });

  it("stays away for good once the member was removed or has signed out", async () => {
    WireSocket.last.cut(4003);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(WireSocket.all).toHaveLength(1);
  });
});
