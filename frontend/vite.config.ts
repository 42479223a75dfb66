import tailwindcss from "@tailwindcss/vite";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const controlPlane = process.env.QZTNA_DEV_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [tanstackRouter(), react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { proxy: { "/api": { target: controlPlane, ws: true } } },
  // Nothing may be inlined: the served policy allows scripts, styles and fonts from this origin only.
  build: { assetsInlineLimit: 0, target: "es2023" },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
