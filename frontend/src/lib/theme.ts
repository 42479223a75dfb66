import { useSyncExternalStore } from "react";

/** `system` follows the device. `public/assets/theme.js` applies the stored choice before the first paint. */
export type Theme = "system" | "light" | "dark";

const STORED = "quickztna.theme";
const systemDark = () => matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === "light" || stored === "dark" ? stored : "system";
}

function apply(): void {
  const theme = chosen();
  const dark = theme === "dark" || (theme === "system" && systemDark().matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(STORED, theme);
  apply();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosen);
}

export function followSystemTheme(): void {
  systemDark().addEventListener("change", apply);
}
