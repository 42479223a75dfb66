import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState } from "react";
import type { AclRule } from "@/api/tables";
import type { EndNames } from "@/components/end-chips";
import { RuleCard, type RuleActions } from "./rule-card";

const CARD_HEIGHT = 98;
const GAP = 10;

interface Props {
  rules: AclRule[];
  names: EndNames;
  actions?: RuleActions;
}

/** Cards of which only those in sight are drawn, so that ten thousand rules scroll like ten. */
export function RuleList({ rules, names, actions }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: rules.length,
    estimateSize: () => CARD_HEIGHT,
    gap: GAP,
    overscan: 10,
    scrollMargin: top,
    getItemKey: (index) => rules[index]?.id ?? index,
  });
  return (
    <ol ref={list} aria-label="Rules" className="relative" style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map(({ index, key, start }) => {
        const rule = rules[index];
        if (!rule) return null;
        return (
          <li
            key={key}
            ref={virtual.measureElement}
            data-index={index}
            aria-setsize={rules.length}
            aria-posinset={index + 1}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${start - top}px)` }}
          >
            <RuleCard rule={rule} names={names} actions={actions} first={index === 0} last={index === rules.length - 1} />
          </li>
        );
      })}
    </ol>
  );
}
