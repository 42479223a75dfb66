import js from "@eslint/js";
import importX from "eslint-plugin-import-x";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = ["auth", "orgs", "machines", "policy", "posture", "dns", "governance", "audit", "webhooks"];

// Imports point one way: lib < api < realtime < components < features < shell < routes; features stand apart.
const zones = [
  ...features.map((feature) => ({
    target: `./src/features/${feature}`,
    from: "./src/features",
    except: [`./${feature}`],
    message: "Features do not import each other: lift the shared part into components, lib or api.",
  })),
  { target: "./src/features", from: ["./src/routes", "./src/shell"] },
  { target: "./src/shell", from: "./src/routes" },
  { target: "./src/components", from: ["./src/features", "./src/shell", "./src/routes"] },
  { target: "./src/realtime", from: ["./src/components", "./src/features", "./src/shell", "./src/routes"] },
  { target: "./src/api", from: ["./src/realtime", "./src/components", "./src/features", "./src/shell", "./src/routes"] },
  { target: "./src/lib", from: ["./src/api", "./src/realtime", "./src/components", "./src/features", "./src/shell", "./src/routes"] },
];

export default tseslint.config(
  { ignores: ["dist", "src/routeTree.gen.ts", "src/api/schema.gen.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    files: ["**/*.{ts,tsx}"],
    plugins: { "import-x": importX, "react-hooks": hooks },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { "import-x/resolver-next": [importX.createNodeResolver({ extensions: [".ts", ".tsx"], tsconfig: { configFile: "./tsconfig.json" } })] },
    rules: {
      ...hooks.configs.recommended.rules,
      "import-x/no-restricted-paths": ["error", { zones }],
      "max-lines": ["error", 400],
      "@typescript-eslint/only-throw-error": "off", // TanStack Router throws redirects
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
    },
  },
  { files: ["**/*.tsx"], ...a11y.flatConfigs.recommended },
  {
    files: ["**/*.js"],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { document: "readonly", localStorage: "readonly", matchMedia: "readonly" } },
  },
);
