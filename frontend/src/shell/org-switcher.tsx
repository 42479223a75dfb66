import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, Plus } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "@/components/ui/menu";

export function OrgSwitcher({ onSwitch }: { onSwitch?: () => void }) {
  const { org, memberships, switchTo } = useCurrentOrg();
  const navigate = useNavigate();

  function choose(orgId: string) {
    if (orgId !== org.id) switchTo(orgId);
    onSwitch?.();
    void navigate({ to: "/dashboard" });
  }
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          className="flex w-full items-center gap-2.5 rounded-xl border border-rail-line bg-rail-raised/50 px-2.5 py-2 text-left hover:bg-rail-raised"
          aria-label={`Organisation ${org.name}, switch`}
        >
          <span aria-hidden className="grid size-7.5 shrink-0 place-items-center rounded-lg bg-spark text-[0.83rem] font-semibold text-spark-ink">
            {org.name.slice(0, 1).toUpperCase()}
          </span>
          <span className="min-w-0 flex-1">
            <span className="block truncate leading-5 font-medium">{org.name}</span>
            <span className="block truncate text-[0.77rem] leading-4 text-rail-muted">{org.domain ?? `${org.slug}.zt.net`}</span>
          </span>
          <ChevronsUpDown className="size-4 shrink-0 text-rail-muted" aria-hidden />
        </button>
      }
    >
      <MenuLabel>Organisations</MenuLabel>
      {memberships.map(({ id, name, role }) => (
        <MenuItem key={id} checked={id === org.id} onSelect={() => choose(id)}>
          <span className="block truncate">{name}</span>
          <span className="block text-[0.77rem] text-muted">{role}</span>
        </MenuItem>
      ))}
      <MenuSeparator />
      <MenuItem icon={<Plus />} onSelect={() => void navigate({ to: "/create-org" })}>
        New organisation
      </MenuItem>
    </Menu>
  );
}
