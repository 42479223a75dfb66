import { createFileRoute } from "@tanstack/react-router";
import { MachinesPage } from "@/features/machines/list/machines-page";
import { readMachineSearch } from "@/features/machines/list/machine-search";

export const Route = createFileRoute("/_signed-in/_org/machines/")({
  validateSearch: readMachineSearch,
  component: Machines,
});

function Machines() {
  const navigate = Route.useNavigate();
  return <MachinesPage search={Route.useSearch()} onSearch={(change) => void navigate({ search: (now) => ({ ...now, ...change }), replace: true })} />;
}
