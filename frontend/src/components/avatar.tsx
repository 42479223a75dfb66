import { initials } from "@/lib/initials";

export function Avatar({ name }: { name: string | null }) {
  return (
    <span aria-hidden className="grid size-8.5 shrink-0 place-items-center rounded-full bg-accent-soft text-[0.77rem] font-semibold text-accent">
      {initials(name)}
    </span>
  );
}
