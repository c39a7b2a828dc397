import { MOST_COMPLETIONS, generatedText } from "#runtime/content";
import type { Complete, Resource } from "#runtime/content";
import type { StackAgent } from "./agent.ts";

const JSON_TYPE = "application/json";
/** As many as a stack of ordinary size has; the tools have pages. */
const MAX_STRUCTURE = 500;

/** What can be read of the stack; the guide's text stands in `folder`, where it was generated. */
export function resourcesIn(folder: URL): readonly Resource<StackAgent>[] {
  return [
    {
      uri: "stack://guide/api",
      name: "guide",
      title: "How to query this stack",
      description: "Read once: the query language, variables, test commands, and what AI reaches here.",
      mimeType: "text/markdown",
      text: () => generatedText(new URL("guide.md", folder)),
    },
    {
      uri: "stack://live/summary",
      name: "summary",
      title: "The stack at a glance",
      description: "Domain, and how many components there are by type, namespace and group.",
      mimeType: JSON_TYPE,
      read: async ({ client, signal }) => await client.summary(signal),
    },
    {
      uri: "stack://live/structure",
      name: "structure",
      title: "The tree of the stack",
      description: `Components with their sub-components by kind and what they lead to; up to ${MAX_STRUCTURE}.`,
      mimeType: JSON_TYPE,
      read: async ({ client, signal }) => await client.structure({ limit: MAX_STRUCTURE }, signal),
    },
    {
      uri: "stack://profile",
      name: "profile",
      title: "The inventory of the stack",
      description: "Components by category, and for each how far AI reaches and with which tools.",
      mimeType: JSON_TYPE,
      read: async ({ client, signal }) => await client.profile(undefined, signal),
    },
    {
      uri: "stack://dna",
      name: "dna",
      title: "The whole stack in one read",
      description: "Components, links, data flows, OpenAPI documents and what AI reaches.",
      mimeType: JSON_TYPE,
      read: async ({ client, signal }) => await client.dna(signal),
    },
  ];
}

/** Names of components and groups that start with what was typed. */
export const completeNames: Complete<StackAgent> = async (of, typed, { client, signal }) => {
  if (of === "group") {
    const groups = Object.keys((await client.summary(signal)).groups);
    return groups.filter((group) => group.startsWith(typed));
  }
  const where = typed === "" ? {} : { name__startswith: typed.slice(0, 200) };
  const body = { source: "all", select: ["name"], where, limit: MOST_COMPLETIONS + 1 };
  return (await client.query(body, signal)).rows.map((row) => String(row["name"]));
};
