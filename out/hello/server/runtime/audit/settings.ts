import { createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { ANCHOR_EVERY } from "#runtime/audit/record";
import { codeOf } from "#runtime/audit/sink";
import { httpUrl, integerSetting } from "#runtime/server-settings";
import type { Environment } from "#runtime/settings";
import { StartError } from "#runtime/start-error";

/** Where audit records go, and how the chain is sealed. */
export interface AuditSettings {
  /** Without one, records go to a stream of the process. */
  readonly file: string | undefined;
  /** A file of this size is put aside, and the chain goes on in a new one. */
  readonly maxBytes: number;
  /** Ed25519; without it anchors are not signed. */
  readonly key: KeyObject | undefined;
  readonly anchorEvery: number;
  readonly forward: { readonly url: URL; readonly keyFile: string | undefined } | undefined;
}

function privateKey(path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new StartError(`MCP_AUDIT_KEY_FILE cannot be read as a private key in PEM (${codeOf(cause)})`);
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new StartError(
    "MCP_AUDIT_KEY_FILE must hold an Ed25519 key: make one with openssl genpkey -algorithm ed25519",
  );
}

export function readAuditSettings(environment: Environment): AuditSettings {
  const keyFile = environment["MCP_AUDIT_KEY_FILE"] || undefined;
  const url = httpUrl(environment, "ANALYTICS_INGEST_URL");
  return {
    file: environment["MCP_AUDIT_FILE"] || undefined,
    maxBytes: integerSetting(environment, "MCP_AUDIT_MAX_BYTES", {
      fallback: 67_108_864,
      min: 4_096,
      max: 999_999_999,
    }),
    key: keyFile === undefined ? undefined : privateKey(keyFile),
    anchorEvery: integerSetting(environment, "MCP_AUDIT_ANCHOR_EVERY", {
      fallback: ANCHOR_EVERY,
      min: 1,
      max: 1_000_000,
    }),
    forward:
      url === undefined
        ? undefined
        : {
            url: new URL(`${url.pathname.replace(/\/$/, "")}/events`, url),
            keyFile: environment["ANALYTICS_API_KEY_FILE"] || undefined,
          },
  };
}
