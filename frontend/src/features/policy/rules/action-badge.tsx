import { Ban, Check } from "lucide-react";
import type { Verdict } from "@/api/tables";
import { Badge } from "@/components/ui/badge";

export function ActionBadge({ action }: { action: Verdict }) {
  return action === "allow" ? (
    <Badge colour="blue">
      <Check aria-hidden /> allow
    </Badge>
  ) : (
    <Badge colour="red">
      <Ban aria-hidden /> deny
    </Badge>
  );
}
