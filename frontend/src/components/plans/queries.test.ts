import { expect, it } from "vitest";
import { concerns } from "@/realtime/events";
import { openPlansQuery, planQuery } from "./queries";

it("reads plans again when somebody else moves them on", () => {
  for (const { queryKey } of [planQuery("mine", "p"), openPlansQuery("mine")]) expect(concerns(queryKey, ["id", "status"])).toBe(true);
});
