import { act, renderHook } from "@testing-library/react";
import { expect, it } from "vitest";
import { useContest } from "./contested";

interface Row {
  id: string;
  name: string;
  ports: string;
}
const opened: Row = { id: "r", name: "web", ports: "80" };
const draftOf = ({ name, ports }: Row) => ({ name, ports });

interface Stored {
  /** As the page knows it. */
  present: Row | null;
  /** As it is, where that differs. */
  read?: Row | null;
}

function form() {
  const initialProps: Stored = { present: opened };
  return renderHook(({ present, read = present }: Stored) => useContest({ opened, present, read: () => Promise.resolve(read), draftOf, blank: draftOf(opened) }), { initialProps });
}

it("says what somebody else has changed, and what was typed there", () => {
  const { result, rerender } = form();
  act(() => result.current.change({ ports: "81" }));
  rerender({ present: { ...opened, name: "www", ports: "8080" } });
  expect(result.current.overtaken).toEqual([
    { field: "name", theirs: "www" },
    { field: "ports", theirs: "8080", typed: "81" },
  ]);
  expect(result.current.draft).toEqual({ name: "web", ports: "81" });
});

it("keeps mine where I typed and theirs where I did not", () => {
  const { result, rerender } = form();
  act(() => result.current.change({ ports: "81" }));
  rerender({ present: { ...opened, name: "www", ports: "8080" } });
  act(() => result.current.keepMine());
  expect(result.current).toMatchObject({ draft: { name: "www", ports: "81" }, overtaken: [], changed: true });
  act(() => result.current.takeTheirs());
  expect(result.current).toMatchObject({ draft: { name: "www", ports: "8080" }, changed: false });
});

it("does not ask about columns that it does not show", () => {
  const { result, rerender } = form();
  const newer = { ...opened, revision: 2 };
  rerender({ present: newer });
  expect(result.current).toMatchObject({ overtaken: [], seen: newer });
});

it("keeps what was typed when the row goes", () => {
  const { result, rerender } = form();
  act(() => result.current.change({ ports: "81" }));
  rerender({ present: null });
  expect(result.current).toMatchObject({ gone: true, draft: { ports: "81" } });
});

it("looks at the stored row before it is saved, whatever the page knows", async () => {
  const { result, rerender } = form();
  await expect(result.current.fresh()).resolves.toEqual(opened);
  rerender({ present: opened, read: { ...opened, ports: "8080" } });
  await expect(result.current.fresh()).rejects.toMatchObject({ code: "CONFLICT" });
  rerender({ present: opened, read: null });
  await expect(result.current.fresh()).rejects.toMatchObject({ code: "CONFLICT", message: "It is no longer there." });
});
