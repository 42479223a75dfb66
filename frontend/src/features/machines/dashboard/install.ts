export type Platform = "linux" | "macos" | "windows";

interface Install {
  label: string;
  lines: readonly string[];
}

/** How the agent gets onto a machine from a checkout of the project. */
export const installCommands: Record<Platform, Install> = {
  linux: { label: "Linux", lines: ["sudo apt install -y --no-install-recommends pipx wireguard-go nftables", "sudo pipx install --global ./quickztna"] },
  macos: { label: "macOS", lines: ["brew install pipx wireguard-go", "pipx install ./quickztna"] },
  windows: { label: "Windows", lines: ["winget install WireGuard.WireGuard", "pip install .\\quickztna"] },
};

export function visitorPlatform(userAgent: string): Platform {
  if (/Windows/.test(userAgent)) return "windows";
  return /Mac OS X|Macintosh/.test(userAgent) ? "macos" : "linux";
}
