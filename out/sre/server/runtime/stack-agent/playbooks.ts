import { generatedText } from "#runtime/content";
import type { Prompt, PromptArgument } from "#runtime/content";

const component = (description: string): PromptArgument => ({
  name: "component_name",
  description,
  required: true,
  of: "component",
});

const PLAYBOOKS: readonly Omit<Prompt, "text">[] = [
  {
    name: "diagnose_component",
    version: "1.0.0",
    title: "Diagnose a component",
    description: "Links in both directions, variables, health tests, and what else would be affected.",
    arguments: [component("The component that may be in trouble.")],
  },
  {
    name: "explain_stack",
    version: "1.0.0",
    title: "Explain the stack",
    description: "Structure, connections, patterns and data flows, layer by layer.",
    arguments: [
      {
        name: "group",
        description: "Only this group of components; left out, the whole stack.",
        required: false,
        of: "group",
        fallback: "the whole stack",
      },
    ],
  },
  {
    name: "incident_response",
    version: "1.0.0",
    title: "Respond to an incident",
    description: "From a symptom to the suspects, the dependency chain, the root cause and the blast radius.",
    arguments: [{ name: "symptom", description: "What somebody noticed, in their words.", required: true }],
  },
  {
    name: "trace_data_flow",
    version: "1.0.0",
    title: "Trace a data flow",
    description: "The links from one component to another, hop by hop, each of them tested.",
    arguments: [
      { name: "source", description: "Where the data starts.", required: true, of: "component" },
      { name: "destination", description: "Where it should arrive.", required: true, of: "component" },
    ],
  },
  {
    name: "run_validation",
    version: "1.0.0",
    title: "Validate the stack",
    description: "Every check that the drawing allows, as a table of passes and failures with a score.",
    arguments: [
      {
        name: "group",
        description: "Only this group of components; left out, the whole stack.",
        required: false,
        of: "group",
        fallback: "the whole stack",
      },
    ],
  },
  {
    name: "check_logs",
    version: "1.0.0",
    title: "Check the logs",
    description: "Error patterns of a component beside its metrics, as a timeline with a probable cause.",
    arguments: [
      component("The component whose logs are in question."),
      {
        name: "since",
        description: "How far back to look, such as 30m or 6h.",
        required: false,
        fallback: "1h",
      },
    ],
  },
];

/** The playbooks with their texts in `folder`, where they were generated for this stack. */
export function playbooksIn(folder: URL): readonly Prompt[] {
  return PLAYBOOKS.map((playbook) => ({
    ...playbook,
    text: () => generatedText(new URL(`${playbook.name}.md`, folder)),
  }));
}
