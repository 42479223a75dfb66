import { afterEach, describe, expect, it, vi } from "vitest";
import { from } from "./from";

const paramsOf = (query: { toString: () => string }) => [...new URL(query.toString(), "http://x").searchParams];

describe("from()", () => {
  it("writes filters, order and window as the table grammar asks", () => {
    const query = from("machines").in("org-1").eq("status", "online").order("last_seen", "desc", "nullslast").limit(50).after("c1");
    expect(query.toString()).toMatch(/^\/api\/db\/machines\?/);
    expect(paramsOf(query)).toEqual([
      ["org_id", "org-1"],
      ["status", "eq.online"],
      ["order", "last_seen.desc.nullslast"],
      ["limit", "50"],
      ["after", "c1"],
    ]);
  });

  it("keeps a value that looks like grammar inside its quotes", () => {
    const [, or] = paramsOf(from("machines").in("o").search(["name", "tailnet_ip"], 'a"),status.eq.online'));
    expect(or).toEqual(["or", '(name.ilike."*a\\"),status.eq.online*",tailnet_ip.ilike."*a\\"),status.eq.online*")']);
  });

  it("takes wildcards out of what a person searches for", () => {
    const [or] = paramsOf(from("machines").search(["name"], "w%e*b"));
    expect(or).toEqual(["or", "(name.ilike.*web*)"]);
  });

  it("writes lists for in and contains", () => {
    expect(paramsOf(from("machines").oneOf("os", ["linux", "mac os"]))).toEqual([["os", 'in.(linux,"mac os")']]);
    expect(paramsOf(from("machines").contains("tags", ["web"]))).toEqual([["tags", "cs.{web}"]]);
  });

  it("leaves the query it was made from as it was", () => {
    const base = from("auth_keys").in("o");
    base.eq("revoked", true);
    expect(paramsOf(base)).toEqual([["org_id", "o"]]);
  });

  it("starts at the beginning without a cursor", () => {
    expect(paramsOf(from("machines").after(null))).toEqual([]);
  });
});

describe("all()", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("follows the cursor until there is none", async () => {
    const asked: (string | null)[] = [];
    vi.stubGlobal("fetch", (path: string) => {
      const after = new URL(path, "http://x").searchParams.get("after");
      asked.push(after);
      const headers: HeadersInit = after === "c2" ? {} : { "X-Next-Cursor": after === null ? "c1" : "c2" };
      return Promise.resolve(Response.json({ success: true, data: [{ id: after }], error: null }, { headers }));
    });
    const rows = await from("idp_group_members").in("o").all();
    expect(asked).toEqual([null, "c1", "c2"]);
    expect(rows.map(({ id }) => id)).toEqual([null, "c1", "c2"]);
  });
});
