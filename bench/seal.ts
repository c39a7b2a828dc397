import { spawnSync } from "node:child_process";
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { build } from "esbuild";
import { openSealed } from "../generator/seal/open.ts";
import { seal } from "../generator/seal/seal.ts";
import type { SealedFormat, SealRequest } from "../generator/seal/seal.ts";
import { placeOf } from "../generator/seal/sealed-file.ts";
import { systemRandomness } from "../generator/seal/system-randomness.ts";
import type { Goal } from "./goal.ts";
import { interleaved } from "./measure.ts";
import type { Case, Figures } from "./measure.ts";
import type { Outcome, Suite } from "./suite.ts";
import { timed } from "./timed.ts";
import type { Part } from "./timed.ts";
import { emptyNode, ROOT, workplace } from "./workplace.ts";
import type { Workplace } from "./workplace.ts";

const SIZE = 1_000;
const ROUNDS = 15;
const FORMATS: readonly SealedFormat[] = ["dotenv", "secret"];
const SECRET = { name: "bench-mcp-credentials", namespace: "bench", labels: {} };

/** Two recipients, as a team has them, and one private key. */
const identities = [await generateX25519Identity(), await generateX25519Identity()] as const;
const recipients = [
  await identityToRecipient(identities[0]),
  await identityToRecipient(identities[1]),
] as const;

const entries = Array.from({ length: SIZE }, (_, at) => ({
  name: `MCP_SERVICE_${String(at).padStart(4, "0")}_PASSWORD`,
  value: randomBytes(16).toString("hex"),
}));

function requestOf(format: SealedFormat, previous: string | undefined): SealRequest {
  return {
    path: "bench",
    format,
    entries,
    secret: SECRET,
    recipients,
    previous,
    identities: [identities[0]],
  };
}

interface Ciphertext {
  readonly data: Buffer;
  readonly iv: Buffer;
  readonly tag: Buffer;
}

const KEY = randomBytes(32);

/** The cryptography of a file and nothing else: no text is read or written, no data key wrapped or unwrapped. */
function bareEncryption(): readonly Ciphertext[] {
  const hash = createHash("sha512");
  const sealed = entries.map(({ name, value }) => {
    const iv = randomBytes(32);
    const cipher = createCipheriv("aes-256-gcm", KEY, iv, { authTagLength: 16 });
    cipher.setAAD(Buffer.from(placeOf("dotenv", name)));
    hash.update(value);
    return {
      iv,
      data: Buffer.concat([cipher.update(value, "utf8"), cipher.final()]),
      tag: cipher.getAuthTag(),
    };
  });
  hash.digest();
  return sealed;
}

function bareDecryption(sealed: readonly Ciphertext[]): readonly string[] {
  const hash = createHash("sha512");
  const values = sealed.map(({ data, iv, tag }, at) => {
    const decipher = createDecipheriv("aes-256-gcm", KEY, iv, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(placeOf("dotenv", entries[at]?.name ?? "")));
    decipher.setAuthTag(tag);
    const value = Buffer.concat([decipher.update(data), decipher.final()]);
    hash.update(value);
    return value.toString();
  });
  hash.digest();
  return values;
}

async function inProcess(files: ReadonlyMap<SealedFormat, string>): Promise<readonly Figures[]> {
  const sealed = bareEncryption();
  const parts: Part[] = [
    { name: "AES and SHA alone, encrypting", run: bareEncryption },
    { name: "AES and SHA alone, decrypting", run: () => bareDecryption(sealed) },
  ];
  for (const [format, previous] of files) {
    parts.push({ name: `${format}: seal`, run: () => seal(requestOf(format, undefined), systemRandomness) });
    parts.push({
      name: `${format}: no change`,
      run: () => seal(requestOf(format, previous), systemRandomness),
    });
  }
  return await timed(parts, 3 * ROUNDS);
}

/** The real program, when the live suite has built it. */
function sopsPath(): string | undefined {
  const asked = spawnSync("bash", [join(ROOT, "generator/seal/live.sh"), "path"], { encoding: "utf8" });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

async function stageProgram(place: Workplace): Promise<string> {
  const outfile = place.path("seal.cjs");
  const entryPoints = [join(ROOT, "bench/seal-process.ts")];
  const shape = { bundle: true, minify: true, platform: "node", target: "node20", format: "cjs" } as const;
  await build({ ...shape, entryPoints, outfile, external: ["age-encryption", "yaml"], logLevel: "error" });
  return outfile;
}

async function wholeProcesses(place: Workplace, sops: string, file: string): Promise<readonly Figures[]> {
  const write = (name: string, text: string): void => writeFileSync(place.path(name), text);
  write("plain.json", JSON.stringify({ entries }));
  write("plain.env", entries.map(({ name, value }) => `${name}=${value}\n`).join(""));
  write("sealed.env", file);
  write("keys.txt", `${identities[0]}\n`);
  const program = await stageProgram(place);
  const key = `SOPS_AGE_KEY_FILE=${place.path("keys.txt")}`;
  const bySops = (name: string, ...args: readonly string[]): Case => ({
    name,
    command: { other: ["env", key, "SOPS_DISABLE_VERSION_CHECK=true", sops, ...args] },
    cwd: place.folder,
  });
  const cases: readonly Case[] = [
    emptyNode,
    bySops("sops encrypt", "encrypt", "--age", recipients.join(","), "plain.env"),
    {
      name: "seal",
      command: { node: [program, "seal", "dotenv", "plain.json", recipients[0]] },
      cwd: place.folder,
    },
    bySops("sops decrypt", "decrypt", "sealed.env"),
    {
      name: "open",
      command: { node: [program, "open", "dotenv", "sealed.env", identities[0]] },
      cwd: place.folder,
    },
  ];
  const figures = interleaved(cases, ROUNDS);
  if (readFileSync(place.path("sealed.env.open"), "utf8") !== readFileSync(place.path("plain.env"), "utf8"))
    throw new Error("what was opened is not what was sealed");
  return [...figures.values()];
}

function goalsOf(figures: readonly Figures[]): readonly Goal[] {
  // Processor time: all of it is work of this one process, and a busy machine stretches the other kind at random.
  const at = (name: string): number => figures.find((each) => each.name === name)?.cpuMs ?? Number.NaN;
  return FORMATS.flatMap((format) => [
    {
      id: "SEAL",
      what: `${format}, ${SIZE} entries sealed, against AES and SHA alone`,
      measured: at(`${format}: seal`) / at("AES and SHA alone, encrypting"),
      most: 2.5,
      unit: "times",
    },
    {
      id: "SEAL",
      what: `${format}, ${SIZE} entries, no change, against AES and SHA alone`,
      measured: at(`${format}: no change`) / at("AES and SHA alone, decrypting"),
      most: 1.5,
      unit: "times",
    },
  ]);
}

async function measure(): Promise<Outcome> {
  const files = new Map<SealedFormat, string>();
  for (const format of FORMATS)
    files.set(format, (await seal(requestOf(format, undefined), systemRandomness)).text);
  const dotenv = files.get("dotenv") ?? "";
  const { entries: opened } = await openSealed("bench", dotenv, "dotenv", [identities[0]]);
  if (opened.length !== SIZE) throw new Error("not every entry was sealed");
  const warm = await inProcess(files);
  const sops = sopsPath();
  const place = workplace("seal");
  const whole = sops === undefined ? [] : await wholeProcesses(place, sops, dotenv);
  place.remove();
  return {
    figures: [...warm, ...whole],
    goals: goalsOf(warm),
    facts: {
      entries: SIZE,
      recipients: recipients.length,
      "bytes of the dotenv file": dotenv.length,
      "real sops": sops === undefined ? "not here: no whole processes" : "compared as a whole process",
    },
  };
}

export const sealSuite: Suite = {
  name: "seal",
  about:
    "Sealing 1 000 entries and finding that nothing changed, warm; and whole processes against real sops.",
  run: measure,
};
