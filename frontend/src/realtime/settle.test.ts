import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { settle } from "./settle";
import { backOff } from "./socket";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("runs once, half a second after a burst", () => {
  const work = vi.fn();
  const { touch } = settle(work);
  for (let i = 0; i < 20; i++) {
    touch();
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(480);
  expect(work).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(20);
  expect(work).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(10_000);
  expect(work).toHaveBeenCalledTimes(1);
});

it("runs every three seconds under a steady stream", () => {
  const work = vi.fn();
  const { touch } = settle(work);
  for (let elapsed = 0; elapsed < 10_000; elapsed += 300) {
    touch();
    vi.advanceTimersByTime(300);
  }
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(3);
});

it("does nothing more once cancelled", () => {
  const work = vi.fn();
  const { touch, cancel } = settle(work);
  touch();
  cancel();
  vi.advanceTimersByTime(5_000);
  expect(work).not.toHaveBeenCalled();
});

it("waits longer at every attempt, at most 8 s, and not all tabs alike", () => {
  expect([backOff(0, 1), backOff(1, 1), backOff(2, 1), backOff(20, 1)]).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(backOff(2, 0)).toBe(2_000);
});
