import { Outlet } from "@tanstack/react-router";
import { Menu as MenuIcon, Search, X } from "lucide-react";
import { useEffect, useState } from "react";
import { Brand } from "@/components/brand";
import { LayerContext } from "@/components/ui/layer";
import { CommandPalette } from "./command-palette";
import { LockdownNotice } from "./lockdown-notice";
import { PendingBell } from "./pending-bell";
import { Sidebar } from "./sidebar";
import { LiveNotice, SocketBadge } from "./socket-state";

/** What stands around every page of an organisation. */
export function Shell() {
  const [palette, setPalette] = useState(false);
  const [drawer, setDrawer] = useState(false);
  usePaletteShortcut(() => setPalette(true));
  return (
    <div className="grid min-h-dvh lg:grid-cols-[15.5rem_minmax(0,1fr)]">
      <a href="#content" className="sr-only z-50 rounded-lg bg-accent px-3 py-2 text-accent-ink focus:not-sr-only focus:fixed focus:top-3 focus:left-3">
        Skip to content
      </a>
      <aside className="sticky top-0 hidden h-dvh lg:block">
        <Sidebar />
      </aside>
      {drawer && <NavDrawer onClose={() => setDrawer(false)} />}
      <div className="flex min-w-0 flex-col">
        <div className="on-rail sticky top-0 z-30 flex h-14 items-center gap-2 bg-rail px-3 text-rail-ink lg:hidden">
          <button type="button" onClick={() => setDrawer(true)} aria-label="Open menu" className="grid size-9.5 place-items-center rounded-lg hover:bg-rail-raised">
            <MenuIcon className="size-5" />
          </button>
          <Brand />
          <button type="button" onClick={() => setPalette(true)} aria-label="Search" className="ml-auto grid size-9.5 place-items-center rounded-lg hover:bg-rail-raised">
            <Search className="size-5" />
          </button>
          <PendingBell />
        </div>
        <div className="hidden h-13 items-center gap-3 border-b border-line px-7 lg:flex">
          <button
            type="button"
            onClick={() => setPalette(true)}
            className="flex h-8.5 w-72 items-center gap-2.5 rounded-lg border border-line bg-surface px-3 text-[0.85rem] text-muted hover:border-line-strong"
          >
            <Search className="size-4" aria-hidden />
            Search or jump to
            <kbd className="ml-auto rounded border border-line px-1.25 font-sans text-[0.72rem]">{commandKey()} K</kbd>
          </button>
          <span className="ml-auto" />
          <SocketBadge />
          <PendingBell />
        </div>
        <LiveNotice />
        <LockdownNotice />
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
      {palette && <CommandPalette onClose={() => setPalette(false)} />}
    </div>
  );
}

function NavDrawer({ onClose }: { onClose: () => void }) {
  const [dialog, setDialog] = useState<HTMLDialogElement | null>(null);
  useEffect(() => dialog?.showModal(), [dialog]);
  return (
    <dialog ref={setDialog} aria-label="Menu" onClose={onClose} className="m-0 h-dvh max-h-dvh w-72 max-w-[85vw] bg-rail p-0">
      <button type="button" onClick={onClose} aria-label="Close menu" className="absolute top-3.5 right-3 grid size-9 place-items-center rounded-lg text-rail-muted hover:bg-rail-raised">
        <X className="size-5" />
      </button>
      <LayerContext value={dialog}>
        <Sidebar onNavigate={onClose} />
      </LayerContext>
    </dialog>
  );
}

function commandKey(): string {
  return /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
}

function usePaletteShortcut(open: () => void): void {
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      open();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  });
}
