import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { keyPair } from "../test/harness/sealing.ts";
import { twentyLinks } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import { interleaved } from "./measure.ts";
import type { Case } from "./measure.ts";
import { pick } from "./suite.ts";
import type { Outcome, Suite } from "./suite.ts";
import { emptyNode, generate, settle, workplace } from "./workplace.ts";
import type { Workplace } from "./workplace.ts";

const ROUNDS = 21;
/** A credential of the drawing whose value the environment gives, another in every run. */
const CHANGING = "MCP_POSTGRESQL_0_ORDERS_PASSWORD";

interface Places {
  readonly fresh: Workplace;
  readonly changing: Workplace;
  readonly compared: Workplace;
  readonly settled: Workplace;
}

function casesOf(program: string, places: Places, key: Readonly<Record<string, string>>): readonly Case[] {
  const { fresh, changing, compared, settled } = places;
  const command = { node: [program, "generate"] };
  const remove = (path: string) => () => rmSync(path, { recursive: true, force: true });
  return [
    emptyNode,
    {
      name: "cp -r",
      command: { other: ["cp", "-r", "out", "copy"] },
      cwd: settled.folder,
      before: remove(settled.path("copy")),
    },
    { name: "first seal", command, cwd: fresh.folder, before: remove(fresh.path("out")) },
    {
      name: "changed credential",
      command,
      cwd: changing.folder,
      env: () => ({ ...key, [CHANGING]: randomBytes(16).toString("hex") }),
    },
    { name: "no change, with a private key", command, cwd: compared.folder, env: () => key },
    { name: "no change, without a private key", command, cwd: settled.folder },
  ];
}

async function measure(program: string): Promise<Outcome> {
  const { identity, recipient } = await keyPair();
  const places = {
    fresh: workplace("sealing-fresh"),
    changing: workplace("sealing-changing"),
    compared: workplace("sealing-compared"),
    settled: workplace("sealing-settled"),
  };
  for (const place of Object.values(places)) place.draw("twenty", twentyLinks({ recipient }));
  for (const place of [places.changing, places.compared]) generate(program, place);
  settle(program, places.settled);
  const figures = interleaved(casesOf(program, places, { SOPS_AGE_KEY: identity }), ROUNDS);
  const [start, copy] = [pick(figures, "node -e 0"), pick(figures, "cp -r")];
  rmSync(places.settled.path("copy"), { recursive: true, force: true });
  const sealing = ["first seal", "changed credential"].flatMap((name): Goal[] => {
    const { medianMs, memoryMb } = pick(figures, name);
    return [
      {
        id: "seal",
        what: `${name}, against 2.3 starts of Node and 3 copies`,
        measured: medianMs,
        most: 2.3 * start.medianMs + 3 * copy.medianMs,
        unit: "ms",
      },
      {
        id: "seal",
        what: `${name}, memory against that of Node`,
        measured: memoryMb / start.memoryMb,
        most: 1.8,
        unit: "times",
      },
    ];
  });
  const idle = (name: string, most: number): Goal => ({
    id: "seal",
    what: `${name}, against a start of Node`,
    measured: pick(figures, name).medianMs / start.medianMs,
    most,
    unit: "times",
  });
  const goals = [
    ...sealing,
    idle("no change, with a private key", 2.2),
    idle("no change, without a private key", 1.4),
  ];
  return { figures: [...figures.values()], goals, facts: { links: 20 } };
}

export const sealingSuite: Suite = {
  name: "sealing",
  about: "One stack with 20 links whose credentials are sealed to one recipient.",
  run: measure,
};
