import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    globalSetup: ["test/global-setup.ts"],
    include: ["test/**/*.test.ts", "templates/**/*.test.ts", "generator/**/*.test.ts", "hooks/**/*.test.ts"],
    exclude: [
      "**/node_modules/**",
      "out/**",
      "test/cases/**",
      "{templates,generator}/*/live.test.ts",
      "test/live/**",
    ],
    // Most of what a test does is wait for processes that it started.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
