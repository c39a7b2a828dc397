import type { ApprovalReason } from "#runtime/reason";

/** What the page shows of a proposal. */
export interface ShownProposal {
  readonly proposal_id: string;
  readonly provider: string;
  readonly tool: string;
  readonly argsSha: string;
  readonly state: string;
  readonly expires_at: string;
  readonly approved_by?: string;
  readonly proposer: { readonly id: string; readonly human: string | null };
  readonly preview: unknown;
  readonly result?: unknown;
}

const STYLE = `body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:56rem;padding:0 1rem}
article{border:1px solid #888;border-radius:.4rem;margin:1rem 0;padding:.5rem 1rem}
pre{background:#f2f2f2;color:#111;overflow:auto;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}
button{font:inherit;margin-right:.5rem}`;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that stays text, whoever wrote it; what nobody could see is shown by its number. */
export function html(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "")
    .replace(/[^\P{C}\n\t]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`);
}

function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${html(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${html(title)}</h1>
${body}
</body>
</html>
`;
}

export { STYLE };

export function loginPage(stack: string, isWrong: boolean): string {
  const wrong = isWrong ? '<p role="alert">That is no key of role admin.</p>\n' : "";
  return document(
    `Approvals of ${stack}`,
    `${wrong}<form method="post" action="/login">
<label>Your key <input type="password" name="key" autocomplete="off" required></label>
<button>Sign in</button>
</form>`,
  );
}

function buttonsFor({ state, proposal_id: id, argsSha }: ShownProposal, token: string): string {
  const words = { proposed: ["approve", "reject"], approved: ["execute", "reject"] }[state] ?? [];
  if (words.length === 0) return "";
  const hidden = Object.entries({ token, proposal_id: id, argsSha })
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${html(value)}">`)
    .join("");
  const buttons = words.map((word) => `<button name="action" value="${word}">${word}</button>`).join("");
  return `<form method="post" action="/decide">${hidden}${buttons}</form>`;
}

function article(proposal: ShownProposal, token: string): string {
  const { proposal_id: id, tool, provider, state, expires_at, proposer, approved_by: by, result } = proposal;
  const decided = by === undefined ? "" : `, decided by ${by}`;
  const outcome = result === undefined ? "" : `<pre>${html(JSON.stringify(result, null, 2))}</pre>\n`;
  return `<article id="${html(id)}">
<h2>${html(tool)} on ${html(provider)}: ${html(state)}</h2>
<p>${html(`${id}, proposed by ${proposer.human ?? proposer.id}, until ${expires_at}${decided}`)}</p>
<pre>${html(JSON.stringify(proposal.preview, null, 2))}</pre>
${outcome}${buttonsFor(proposal, token)}
</article>`;
}

export function listPage(
  stack: string,
  proposals: readonly ShownProposal[],
  token: string,
  refused: ApprovalReason | string | undefined,
): string {
  const alert = refused === undefined ? "" : `<p role="alert">Not done: ${html(refused)}</p>\n`;
  const list =
    proposals.length === 0
      ? "<p>Nothing waits.</p>"
      : proposals.map((each) => article(each, token)).join("\n");
  const out = `<form method="post" action="/logout"><input type="hidden" name="token" value="${html(token)}"><button>Sign out</button></form>`;
  return document(`Approvals of ${stack}`, `${alert}${list}\n${out}`);
}
