import { defineHook } from "#hook";
import type { LinkModule } from "#hook";

type NamespaceRights = ReturnType<NonNullable<LinkModule["family"]["rbac"]>>[number];
export type RoleRule = NamespaceRights["rules"][number];

/** The rights of one namespace, for a Role there. */
export interface RoleFacts {
  readonly namespace: string;
  readonly rules: readonly RoleRule[];
}

const sorted = (words: readonly string[]): readonly string[] => [...new Set(words)].sort();

/** One form for every way of writing a rule, so that two links that need the same share it. */
function canonical({ apiGroups, resources, resourceNames, verbs }: RoleRule): RoleRule {
  return {
    apiGroups: sorted(apiGroups),
    resources: sorted(resources),
    ...(resourceNames === undefined ? {} : { resourceNames: sorted(resourceNames) }),
    verbs: sorted(verbs),
  };
}

/**
 * What the tools of the drawn links need of the Kubernetes API, by namespace. Nothing else is ever granted, and
 * a server whose links need nothing gets no account token.
 */
export default defineHook({
  name: "rbac",
  derive: (topology, _facts, { links }): { readonly roles: readonly RoleFacts[] } => {
    const namespaces = new Map<string, Map<string, RoleRule>>();
    for (const { family, link, tools } of links) {
      const names = tools.map(({ name }) => name);
      for (const { namespace, rules } of family.rbac?.(link, names, topology) ?? []) {
        const known = namespaces.get(namespace) ?? new Map<string, RoleRule>();
        for (const rule of rules.map(canonical)) known.set(JSON.stringify(rule), rule);
        namespaces.set(namespace, known);
      }
    }
    const roles = [...namespaces].map(([namespace, rules]) => ({
      namespace,
      rules: [...rules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule),
    }));
    return { roles: roles.sort((a, b) => (a.namespace < b.namespace ? -1 : 1)) };
  },
});
