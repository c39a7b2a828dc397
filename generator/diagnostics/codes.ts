/** What a code means, wherever it turns up: `topogate explain <code>` and the documentation print it. */
export interface DiagnosticEntry {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export type DiagnosticCode =
  | "E-ACCESS"
  | "E-API-VERSION"
  | "E-CONFIGMAP-SIZE"
  | "E-DELIVERY"
  | "E-DUP"
  | "E-ENV-WIDENS"
  | "E-EXAMPLE-KEY"
  | "E-LIMIT"
  | "E-LINK-TYPE"
  | "E-MISSING"
  | "E-NO-RECIPIENT"
  | "E-NO-TOOLS"
  | "E-NOT-EXPORTED"
  | "E-REF"
  | "E-REF-AMBIGUOUS"
  | "E-ROUTE"
  | "E-RULES"
  | "E-SEALED"
  | "E-SECRET-NAMESPACE"
  | "E-SECRET-PLAINTEXT"
  | "E-SECRET-SOURCE"
  | "E-SHAPE"
  | "E-TYPE-MISSING"
  | "E-TYPE-UNKNOWN"
  | "E-UNKNOWN-KEY"
  | "E-VAR"
  | "E-YAML"
  | "W-GRANT-EXPIRED"
  | "W-NAME"
  | "W-NO-DOCUMENT"
  | "W-NO-EGRESS"
  | "W-NO-RECIPIENT"
  | "W-NO-STACK-AGENT"
  | "W-NO-TOOLS-YET"
  | "W-ROUTE"
  | "W-SECRET-MISSING"
  | "W-TOOLS-UNNAMED"
  | "W-UNLINKED";

/** Every code has its entry here: one without does not compile. */
export const diagnosticCatalog: Readonly<Record<DiagnosticCode, DiagnosticEntry>> = {
  "E-ACCESS": {
    title: "access word that this link cannot carry",
    cause:
      "Links from mcp take read, propose or write; other links take the words of the type they end at. No link reaches what the server itself keeps.",
    fix: "Use one of the words that the message lists, or none.",
  },
  "E-API-VERSION": {
    title: "unknown version of the stack file",
    cause: "apiVersion names a format that this release does not read.",
    fix: "Write apiVersion: topology/v1, or upgrade topogate.",
  },
  "E-CONFIGMAP-SIZE": {
    title: "more code than one ConfigMap can hold",
    cause: "Kubernetes refuses a ConfigMap with more than 1 MiB, and the message lists what is in this one.",
    fix: "Draw fewer links from mcp in this stack: split it, and link the parts by external components.",
  },
  "E-DELIVERY": {
    title: "a drawing that mcp-runtime cannot run",
    cause: "With delivery: mcp-runtime its operator makes the pods and routes, and it has no word for this.",
    fix: "Change the drawing as the message says, or leave delivery out.",
  },
  "E-DUP": {
    title: "one name for two things",
    cause: "Two keys, links or generated names are the same, so one would silently replace the other.",
    fix: "Merge the two, or give one of the components a name of its own.",
  },
  "E-ENV-WIDENS": {
    title: "an environment gives more than the base",
    cause: "The base is the ceiling of what AI may do; an environment can only take away from it.",
    fix: "Draw the wider access in the base and narrow it in the other environments.",
  },
  "E-EXAMPLE-KEY": {
    title: "sealed to the key of the examples",
    cause: "The private key of the examples is public, so what is sealed to it is open to everybody.",
    fix: "Make a key with age-keygen, keep it out of the repository, and write its age1... line under recipients.",
  },
  "E-LIMIT": {
    title: "the stack file is too large",
    cause: "A stack holds at most 20 000 components and 100 000 links, in 16 MiB, nested 32 deep.",
    fix: "Split the stack and connect the parts with external components.",
  },
  "E-LINK-TYPE": {
    title: "a link that cannot be drawn between these two",
    cause: "The two ends have nothing to offer each other, or one of them only exists for AI.",
    fix: "Draw the link from or to the component that the message names.",
  },
  "E-MISSING": {
    title: "a required value is missing",
    cause: "The value has no default and nothing to derive it from.",
    fix: "Add the key that the message names.",
  },
  "E-NO-RECIPIENT": {
    title: "sealed credentials without a recipient",
    cause: "The output holds sealed files, and the drawing no longer says who may open them.",
    fix: "Put a recipient back, or delete the sealed files and give their values up.",
  },
  "E-NO-TOOLS": {
    title: "AI has no tools for this type",
    cause: "The component serves traffic or runs code; there is nothing in it for AI to read.",
    fix: "Link mcp to the component behind it, or remove the link.",
  },
  "E-NOT-EXPORTED": {
    title: "the other stack does not export this",
    cause: "A stack is reached from another one only through its exports.",
    fix: "Let the owner of the other stack add this stack to its exports, with the access that is needed.",
  },
  "E-REF": {
    title: "a reference to something that is not drawn",
    cause: "The name is misspelt, or the component or sub-component is missing.",
    fix: "Correct the name, or draw what it refers to.",
  },
  "E-REF-AMBIGUOUS": {
    title: "a reference with two meanings",
    cause: "Sub-components of two kinds share the name.",
    fix: "Write the kind in front of the name: rabbitmq/queue:events.",
  },
  "E-ROUTE": {
    title: "a route that cannot be made",
    cause: "The gateway cannot do what is drawn on its link to mcp, or the stack has no domain for its host.",
    fix: "Change the link as the message says.",
  },
  "E-RULES": {
    title: "rules that cannot be used",
    cause:
      "A file that components.mcp.rules names is missing, says something unknown, or takes away what a higher layer demands.",
    fix: "Correct the line that the message names; a lower layer may only replace rules that are overridable.",
  },
  "E-SEALED": {
    title: "a sealed file that cannot be kept or made",
    cause: "It was altered, no private key fits, a value is missing, or a value does not survive env files.",
    fix: "Do what the message says; a file that was tampered with is never overwritten.",
  },
  "E-SECRET-NAMESPACE": {
    title: "a Secret that the server cannot read",
    cause: "A pod reads Secrets of its own namespace only.",
    fix: "Copy the Secret into the server's namespace, or let {external: store/key} bring the value there.",
  },
  "E-SECRET-PLAINTEXT": {
    title: "a secret is written in the stack file",
    cause: "The file is committed and read by many; a value in it is public.",
    fix: "Replace the value by a reference such as {key: NAME}, {env: NAME} or {k8s: namespace/secret#key}, and rotate the secret.",
  },
  "E-SECRET-SOURCE": {
    title: "a file that may not be the source of a secret",
    cause: "It lies in plain text where it would be committed, or its entry is not named.",
    fix: "Keep it outside the repository, or seal it with sops and write path#entry.",
  },
  "E-SHAPE": {
    title: "a value of the wrong kind",
    cause: "A number, text, list or map stands where another is wanted, or the value breaks its format.",
    fix: "Write the value as the message says.",
  },
  "E-TYPE-MISSING": {
    title: "a component without a type",
    cause: "The type may be left out only when the component is named like a type of the catalog.",
    fix: "Add type: <type>; topogate catalog lists them.",
  },
  "E-TYPE-UNKNOWN": {
    title: "a type that is not in the catalog",
    cause: "The word is misspelt, or this release has no such type.",
    fix: "Use a type of topogate catalog; service and resource fit anything else.",
  },
  "E-UNKNOWN-KEY": {
    title: "a key that means nothing here",
    cause: "The key is misspelt, or it belongs elsewhere.",
    fix: "Correct it, move free values under config, or start the key with x- to have it ignored.",
  },
  "E-VAR": {
    title: "a config key that hides a variable",
    cause:
      "Commands and patterns read {host}, {port} and the like; a config key of that name would change them.",
    fix: "Give the config key another name.",
  },
  "E-YAML": {
    title: "not a YAML file that topogate reads",
    cause:
      "The text is not valid, or uses aliases, tags, merge keys or other features with surprising meanings.",
    fix: "Write plain YAML: maps, lists, text, numbers, true and false.",
  },
  "W-GRANT-EXPIRED": {
    title: "a grant has expired",
    cause: "Nobody can use the grant any more.",
    fix: "Remove it, or set a later date after a review.",
  },
  "W-NAME": {
    title: "a misleading name",
    cause: "The name says something else than the file does.",
    fix: "Rename it so that readers are not misled.",
  },
  "W-NO-DOCUMENT": {
    title: "a link whose tools come from a document that is not drawn",
    cause: "The tools of this type are made from a file beside the stack file, and the component names none.",
    fix: "Name the file on the component, or remove the link.",
  },
  "W-NO-EGRESS": {
    title: "no network rule for an external component",
    cause: "Neither cidr nor namespace says where the component is, so no rule can open the way to it.",
    fix: "Add cidr, or namespace when it runs in the same cluster.",
  },
  "W-NO-RECIPIENT": {
    title: "nobody to seal credentials to",
    cause: "components.mcp.recipients is empty, so no credential is written, sealed or not.",
    fix: "Make a key with age-keygen and write its age1... line under components.mcp.recipients.",
  },
  "W-NO-STACK-AGENT": {
    title: "AI cannot see the drawing",
    cause: "mcp is linked to services but not to stack_agent, which answers questions about the topology.",
    fix: "Add stack_agent: read to links.mcp.",
  },
  "W-NO-TOOLS-YET": {
    title: "no tools for this type in this release",
    cause: "The catalog knows the type, but its tool module does not exist yet.",
    fix: "Keep the link for a later release, or remove it; nothing is generated for it.",
  },
  "W-ROUTE": {
    title: "a gateway does less than is drawn",
    cause: "Gateways of this kind have no setting for an attribute of the link.",
    fix: "Remove the attribute, or configure the gateway itself.",
  },
  "W-SECRET-MISSING": {
    title: "a credential without a value",
    cause: "No source has it, and it is not ours to make.",
    fix: "Set its variable, add it to the stack's secrets file, or write a source under credentials.",
  },
  "W-TOOLS-UNNAMED": {
    title: "write tools that nobody asked for by name",
    cause:
      "The link may write, but its write tools come from a document and are kept only when they are named.",
    fix: "Name those that AI needs under tools of the link, or draw read.",
  },
  "W-UNLINKED": {
    title: "a component without links",
    cause: "Nothing reaches the component and it reaches nothing.",
    fix: "Draw its links, or remove it.",
  },
};
