// Node 22.18 and later run TypeScript as it is; Node 20 needs tsx to do so.
if (!process.features.typescript) {
  const { register } = await import("tsx/esm/api");
  register();
}
await import("./main.ts");
