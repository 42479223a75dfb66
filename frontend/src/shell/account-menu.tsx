import { useNavigate } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { ChevronsUpDown, LogOut, Monitor, Moon, ShieldCheck, Sun } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { signOut } from "@/api/session";
import { Avatar } from "@/components/avatar";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "@/components/ui/menu";
import { setTheme, useTheme } from "@/lib/theme";

const themes = [
  { value: "light", label: "Light", icon: <Sun /> },
  { value: "dark", label: "Dark", icon: <Moon /> },
  { value: "system", label: "System", icon: <Monitor /> },
] as const;

export function useSignOut(): () => Promise<void> {
  const navigate = useNavigate();
  const client = useQueryClient();
  return async () => {
    await signOut().catch(() => undefined);
    client.clear();
    await navigate({ to: "/auth" });
  };
}

export function AccountMenu() {
  const { user } = useCurrentOrg();
  const theme = useTheme();
  const leave = useSignOut();
  return (
    <Menu
      align="start"
      side="top"
      trigger={
        <button type="button" className="flex w-full items-center gap-2.5 rounded-xl px-2 py-2 text-left hover:bg-rail-raised" aria-label={`Account ${user.email}`}>
          <Avatar name={user.full_name ?? user.email} />
          <span className="min-w-0 flex-1">
            <span className="block truncate leading-5">{user.full_name ?? user.email}</span>
            {user.full_name && <span className="block truncate text-[0.77rem] leading-4 text-rail-muted">{user.email}</span>}
          </span>
          <ChevronsUpDown className="size-4 shrink-0 text-rail-muted" aria-hidden />
        </button>
      }
    >
      <MenuLabel>Theme</MenuLabel>
      {themes.map(({ value, label, icon }) => (
        <MenuItem key={value} icon={icon} checked={theme === value} onSelect={() => setTheme(value)}>
          {label}
        </MenuItem>
      ))}
      <MenuSeparator />
      {user.platform_role && (
        <MenuItem icon={<ShieldCheck />} onSelect={() => location.assign("/admin/")}>
          Django admin
        </MenuItem>
      )}
      <MenuItem icon={<LogOut />} onSelect={() => void leave()}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
