import { fillPattern } from "../catalog/contract.ts";
import type { AttributeSpec, ComponentType, SecretSpec } from "../catalog/contract.ts";
import { isBlock, sortedKeys } from "./block.ts";
import type { Block } from "./block.ts";
import type { DrawnComponent } from "./drawing.ts";
import type { Report } from "../diagnostics/report.ts";
import { secretReference } from "./secret-reference.ts";
import { kubernetesName, secretName } from "./naming.ts";
import type { Attributes, Component, Path, SecretReference, SubComponent } from "./topology.ts";
import { blockOf, declaredAttributes, freeAttributes, labelsOf, NOTHING, textOf, wholeOf } from "./values.ts";
import type { NamedSpec } from "./values.ts";

/** What components inherit from the stack. */
export interface Inherited {
  readonly stack: string;
  readonly clusterDomain: string;
  readonly namespace: string | null;
  /** Where the emitted server runs; what is built in runs beside it. */
  readonly serverNamespace: string;
  readonly group: string | null;
}

export interface ComponentContext {
  readonly inherited: Inherited;
  readonly origins: ReadonlyMap<object, Path>;
  readonly report: Report;
}

type Secrets = Readonly<Record<string, SecretReference>>;

interface SectionOrder {
  readonly section: string;
  readonly kind: string;
  readonly attributes: readonly NamedSpec[];
  readonly secrets: readonly string[];
}

/** A type's declarations in the order the model has them; sorted once per type, not once per component. */
interface TypeOrder {
  readonly attributes: readonly NamedSpec[];
  readonly secrets: readonly string[];
  readonly podLabels: readonly { readonly label: string; readonly pattern: string }[];
  readonly sections: readonly SectionOrder[];
}

const orders = new WeakMap<ComponentType, TypeOrder>();

function sortedEntries<T>(
  record: Readonly<Record<string, T>> | undefined,
): readonly (readonly [string, T])[] {
  return Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function namedSpecs(specs: Readonly<Record<string, AttributeSpec>>): readonly NamedSpec[] {
  return sortedEntries(specs).map(([name, spec]) => ({ name, spec }));
}

function namesOf(secrets: Readonly<Record<string, SecretSpec>> | undefined): readonly string[] {
  return sortedEntries(secrets).map(([name]) => name);
}

function makeOrder(type: ComponentType): TypeOrder {
  const podLabels = sortedEntries(type.podLabels ?? { "app.kubernetes.io/name": "{name}" });
  return {
    attributes: namedSpecs(type.attributes),
    secrets: namesOf(type.secrets),
    podLabels: podLabels.map(([label, pattern]) => ({ label, pattern })),
    sections: sortedEntries(type.subComponents).map(([section, spec]) => ({
      section,
      kind: spec.kind,
      attributes: namedSpecs(spec.attributes),
      secrets: namesOf(spec.secrets),
    })),
  };
}

function orderOf(type: ComponentType): TypeOrder {
  let order = orders.get(type);
  if (order === undefined) {
    order = makeOrder(type);
    orders.set(type, order);
  }
  return order;
}

function secretReferences(
  names: readonly string[],
  written: Block,
  component: string,
  sub: string | null,
  path: Path,
  report: Report,
): Secrets {
  if (names.length === 0) return NOTHING;
  const references: Record<string, SecretReference> = {};
  for (const name of names) {
    const implied = secretName(component, sub, name);
    const value = written[name];
    references[name] =
      value === undefined
        ? { from: "implied", name: implied }
        : secretReference(value, implied, [...path, name], report);
  }
  return references;
}

const NO_SUBS: readonly SubComponent[] = [];

function buildSubs(
  drawn: DrawnComponent,
  order: TypeOrder,
  variables: Block,
  context: ComponentContext,
): readonly SubComponent[] {
  if (order.sections.length === 0) return NO_SUBS;
  const subs: SubComponent[] = [];
  for (const { section, kind, attributes, secrets } of order.sections) {
    const block = drawn.value[section];
    if (!isBlock(block)) continue;
    for (const name of sortedKeys(block)) {
      const written = block[name];
      if (!isBlock(written)) continue;
      const path = context.origins.get(written) ?? [...drawn.path, section, name];
      subs.push({
        name,
        kind,
        section,
        attributes: declaredAttributes(attributes, written, { ...variables, name }),
        secrets: secretReferences(secrets, written, drawn.name, name, path, context.report),
        path,
      });
    }
  }
  return subs;
}

function externalOf(value: Block): Component["external"] {
  const block = blockOf(value, "external");
  const stack = textOf(block, "stack");
  const component = textOf(block, "component");
  return stack === null || component === null ? null : { stack, component };
}

/** An external component is where its own stack put it, so nothing is inherited from this one. */
function namespaceOf(
  drawn: DrawnComponent,
  type: ComponentType,
  isExternal: boolean,
  inherited: Inherited,
): string {
  const own = textOf(drawn.value, "namespace");
  if (own !== null) return own;
  if (type.builtin !== undefined) return inherited.serverNamespace;
  return isExternal ? "" : (inherited.namespace ?? kubernetesName(drawn.name));
}

function attributesOf(drawn: DrawnComponent, order: TypeOrder, variables: Block): Attributes {
  const declared = declaredAttributes(order.attributes, drawn.value, variables);
  const description = textOf(drawn.value, "description");
  return description === null ? declared : { ...declared, description };
}

function podLabelsOf(order: TypeOrder, written: Block, variables: Block): Readonly<Record<string, string>> {
  if (isBlock(written["pod_labels"])) return labelsOf(written["pod_labels"]);
  const labels: Record<string, string> = {};
  for (const { label, pattern } of order.podLabels) labels[label] = fillPattern(pattern, variables);
  return labels;
}

/** A component with every default filled in. Patterns see its name as Kubernetes does, since they make host names. */
export function buildComponent(
  drawn: DrawnComponent,
  type: ComponentType,
  context: ComponentContext,
): Component {
  const { inherited } = context;
  const order = orderOf(type);
  const external = externalOf(drawn.value);
  const namespace = namespaceOf(drawn, type, external !== null, inherited);
  const variables: Record<string, unknown> = {
    name: kubernetesName(external?.component ?? drawn.name),
    namespace,
    stack: kubernetesName(external?.stack ?? inherited.stack),
    cluster_domain: inherited.clusterDomain,
  };
  const attributes = attributesOf(drawn, order, variables);
  Object.assign(variables, attributes);
  return {
    name: drawn.name,
    type: type.type,
    namespace,
    group: textOf(drawn.value, "group") ?? inherited.group ?? type.group,
    host: textOf(drawn.value, "host") ?? (type.host === null ? null : fillPattern(type.host, variables)),
    port: wholeOf(drawn.value, "port") ?? type.port,
    cidr: textOf(drawn.value, "cidr"),
    external,
    builtin: type.builtin !== undefined,
    podLabels: podLabelsOf(order, drawn.value, variables),
    attributes,
    config: freeAttributes(blockOf(drawn.value, "config")),
    secrets: secretReferences(order.secrets, drawn.value, drawn.name, null, drawn.path, context.report),
    subs: buildSubs(drawn, order, variables, context),
    path: drawn.path,
  };
}
