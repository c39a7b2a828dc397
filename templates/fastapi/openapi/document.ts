/** What of an OpenAPI 3.0 or 3.1 document is read: its operations. */
import { listOf, own, recordOf } from "#contract";
import type { ForeignDocument, Json } from "#contract";

const METHODS = ["get", "head", "post", "put", "patch", "delete"] as const;
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Described {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly operation: Json;
  /** Parameters of the path, then of the operation. */
  readonly parameters: readonly unknown[];
}

/** `x-mcp: false` hides the whole document, a path or an operation. */
function isHidden(object: Json): boolean {
  return object["x-mcp"] === false;
}

/** Every operation that is not hidden, in the order of the document. */
export function operationsOf({ root, part }: ForeignDocument): readonly Described[] {
  if (isHidden(root)) return [];
  return Object.entries(recordOf(root["paths"])).flatMap(([path, written]) => {
    const item = part(written)?.value ?? {};
    if (isHidden(item) || !path.startsWith("/")) return [];
    return METHODS.flatMap((method): Described[] => {
      const operation = recordOf(own(item, method));
      if (own(item, method) === undefined || isHidden(operation)) return [];
      const id = operation["operationId"];
      return [
        {
          id: typeof id === "string" && id !== "" ? id : `${method} ${path}`,
          method: method.toUpperCase() as Method,
          path,
          operation,
          parameters: [...listOf(item["parameters"]), ...listOf(operation["parameters"])],
        },
      ];
    });
  });
}

/** Whether the document is of a version that is read here; says so otherwise. */
export function isReadable(content: unknown, report: (problem: string) => void): boolean {
  const version = recordOf(content)["openapi"];
  if (typeof version === "string" && /^3\.[01]\.\d+$/.test(version)) return true;
  const given = typeof version === "string" ? `OpenAPI ${version.slice(0, 20)}` : "no OpenAPI document";
  report(`is ${given}: write it in OpenAPI 3.0 or 3.1`);
  return false;
}
