import { defineComponent, integer, text } from "#contract";

export default defineComponent({
  type: "worker",
  summary: "A process that works in the background and serves nobody.",
  group: "backend",
  port: null,
  host: null,
  attributes: {
    image: text({ doc: "Container image." }),
    tech: text({ doc: "Language or framework." }),
    replicas: integer({ doc: "Pods that run.", min: 0 }),
  },
  mcp: "never",
});
