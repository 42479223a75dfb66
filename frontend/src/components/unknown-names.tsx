import { TriangleAlert } from "lucide-react";
import { Badge } from "./ui/badge";

/** That a rule or policy names what is not there. */
export function UnknownNames({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <Badge colour="orange" title={`Nothing is called ${names.join(", ")}`}>
      <TriangleAlert aria-hidden /> Unknown name
    </Badge>
  );
}
