import { createContext } from "react";

/** The open modal that floating parts must live in: what lies outside a modal dialog can't be reached. */
export const LayerContext = createContext<HTMLElement | null>(null);
