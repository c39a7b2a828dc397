import { generateIdentity, identityToRecipient } from "age-encryption";
import { decryptSops } from "sops-age";
import { expect, it } from "vitest";
import { openSealed } from "./open.ts";
import { seal } from "./seal.ts";
import type { SealRequest } from "./seal.ts";
import { systemRandomness } from "./system-randomness.ts";

const identity = await generateIdentity();
const recipient = await identityToRecipient(identity);

it.each(["dotenv", "secret"] as const)(
  "S6: what is sealed as %s opens again, and sops-age agrees",
  async (format) => {
    const request: SealRequest = {
      path: "x",
      format,
      entries: [
        { name: "MCP_A", value: "one" },
        { name: "MCP_B", value: "two" },
      ],
      secret: {
        name: "shop-mcp-credentials",
        namespace: "shop",
        labels: { "app.kubernetes.io/name": "shop-mcp" },
      },
      recipients: [recipient],
      previous: undefined,
      identities: [],
    };
    const { text, outcome } = await seal(request, systemRandomness);
    expect(outcome).toBe("created");
    const opened = await openSealed("x", text, format, [identity]);
    expect(opened.entries).toEqual(request.entries);
    const second: unknown = await decryptSops(text, {
      secretKey: identity,
      fileType: format === "dotenv" ? "env" : "yaml",
    });
    expect(second).toMatchObject(
      format === "dotenv" ? { MCP_A: "one", MCP_B: "two" } : { stringData: { MCP_A: "one", MCP_B: "two" } },
    );
  },
);
