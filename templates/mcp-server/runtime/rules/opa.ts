/** What a policy engine beside the server said; anything but a clear yes is a no. */
export type OpaAnswer = "allowed" | "policy_denied" | "policy_undefined" | "policy_unavailable";

const TIMEOUT_MS = 1_000;
const MOST_BYTES = 65_536;

/** Asks for `mcp.authz.decision`, as the generated Rego defines it. Never throws: no answer is an answer too. */
export async function askOpa(origin: URL, input: unknown): Promise<OpaAnswer> {
  try {
    const response = await fetch(new URL("v1/data/mcp/authz/decision", origin), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input }),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok || text.length > MOST_BYTES) return "policy_unavailable";
    const { result } = JSON.parse(text) as { result?: { allow?: unknown } };
    if (typeof result?.allow !== "boolean") return "policy_undefined";
    return result.allow ? "allowed" : "policy_denied";
  } catch {
    return "policy_unavailable";
  }
}
