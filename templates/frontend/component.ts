import { defineComponent, text } from "#contract";

export default defineComponent({
  type: "frontend",
  summary: "A web application that browsers load.",
  group: "frontend",
  port: 8080,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  attributes: {
    image: text({ doc: "Container image." }),
    tech: text({ doc: "Language or framework." }),
  },
  mcp: "never",
});
