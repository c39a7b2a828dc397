import { defineComponent, text } from "#contract";

export default defineComponent({
  type: "resource",
  summary: "Anything the catalog has no type for, without tools.",
  group: "platform",
  port: 80,
  host: "{name}.{namespace}.svc.{cluster_domain}",
  access: ["read", "write", "readwrite"],
  attributes: {
    tech: text({ doc: "Product or technology." }),
    protocol: text({ doc: "Protocol it speaks." }),
  },
  secrets: { password: { doc: "Password of its clients." } },
  mcp: "never",
});
