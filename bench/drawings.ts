/** The drawings that are measured. They are text, as a person would write them, and the same on every machine. */

/** The same items in an order that follows from the seed alone. */
export function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  let state = seed;
  const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  return items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

type Section = readonly [head: string, lines: readonly string[]];

/** With a seed, sections and their entries stand in another order: the same drawing. */
function drawing(head: readonly string[], sections: readonly Section[], seed: number | undefined): string {
  const order = <T>(items: readonly T[], salt: number): readonly T[] =>
    seed === undefined ? items : shuffled(items, seed + salt);
  const body = order(sections, 1).flatMap(([title, entries], index) => [title, ...order(entries, index + 2)]);
  return `${[...order(head, 0), ...body].join("\n")}\n`;
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const WORDS = ["read", "propose", "write"] as const;
const word = (index: number): string => WORDS[index % 3] ?? "read";

interface Backend {
  readonly name: string;
  readonly type: string;
  readonly attributes: string;
  readonly sub: string | null;
  readonly access: string;
}

function backend(type: string, index: number): Backend {
  const name = `${type}-${index}`;
  if (type === "valkey") {
    return {
      name,
      type,
      attributes: `keyspaces: {app: {prefix: "app${index}:"}, session: }`,
      sub: "app",
      access: word(index),
    };
  }
  if (type === "prometheus")
    return {
      name,
      type,
      attributes: `scheme: ${index % 2 === 0 ? "http" : "https"}`,
      sub: null,
      access: "read",
    };
  const databases = `databases: {orders: {username: orders}, audit: {username: audit, schema: [public, log]}}`;
  return { name, type, attributes: databases, sub: "orders", access: word(index) };
}

const TWENTY: readonly Backend[] = [
  ...range(5).map((index) => backend("postgresql", index)),
  ...range(3).map((index) => backend("cnpg", index)),
  ...range(4).map((index) => backend("prometheus", index)),
  ...range(7).map((index) => backend("valkey", index)),
];

const LINKS_OF_AN_APP: Readonly<Record<string, string>> = {
  postgresql: "readwrite",
  cnpg: "readwrite",
  valkey: "readwrite",
};

/** 20 `mcp` links to five types, all with tools: 19 services and the stack agent. */
export interface TwentyLinks {
  readonly seed?: number;
  readonly without?: string;
  /** Who can open the credentials; nobody when left out, and none are sealed. */
  readonly recipient?: string;
}

export function twentyLinks(options: TwentyLinks = {}): string {
  const drawn = TWENTY.filter(({ name }) => name !== options.without);
  const components = drawn.map(
    ({ name, type, attributes }, index) =>
      `  ${name}: {type: ${type}, namespace: ns-${index % 4}, ${attributes}}`,
  );
  if (options.recipient !== undefined) components.push(`  mcp: {recipients: [${options.recipient}]}`);
  const used = TWENTY.map(({ name, type, sub }) => {
    const access = LINKS_OF_AN_APP[type];
    return `    ${name}${sub === null ? "" : `/${sub}`}:${access === undefined ? "" : ` ${access}`}`;
  });
  const ai = drawn.map(({ name, access }) => `    ${name}: ${access}`);
  const links = [
    [
      "  fastapi:",
      ...used.filter((line) => options.without === undefined || !line.includes(options.without)),
    ].join("\n"),
    ["  mcp:", "    stack_agent: read", ...ai].join("\n"),
  ];
  return drawing(
    ["apiVersion: topology/v1", "stack: twenty", "description: Twenty links", "domain: example.com"],
    [
      ["components:", [...components, "  fastapi: {namespace: app}"]],
      ["links:", links],
    ],
    options.seed,
  );
}

const MANY_TYPES = ["service", "valkey", "kafka", "postgresql", "rabbitmq"] as const;

const MANY_ATTRIBUTES: Readonly<Record<(typeof MANY_TYPES)[number], string>> = {
  service: "config: {tier: backend, workers: 4}",
  valkey: "keyspaces: {app: , session: }",
  kafka: "topics: {orders: {partitions: 6}, payments: }",
  postgresql: "databases: {orders: {username: orders}}",
  rabbitmq: "queues: [emails, invoices]",
};

const LINK_TO: Readonly<Record<(typeof MANY_TYPES)[number], string>> = {
  service: ":",
  valkey: ": readwrite",
  kafka: "/orders: produce",
  postgresql: "/orders: readwrite",
  rabbitmq: "/queue:emails: publish",
};

function typeAt(index: number): (typeof MANY_TYPES)[number] {
  return MANY_TYPES[index % MANY_TYPES.length] ?? "service";
}

/** A compact drawing of many components: 4 lines each, with two links out of each service on average per component. */
export function manyComponents(count: number): string {
  const components = range(count).map((index) => {
    const type = typeAt(index);
    return `  c${index}: {type: ${type}, namespace: ns-${index % 50}, ${MANY_ATTRIBUTES[type]}}`;
  });
  const links = range(count).map((index) => {
    const targets = [...new Set([(index * 7 + 1) % count, (index * 13 + 3) % count])];
    const lines = targets.map((target) => `    c${target}${LINK_TO[typeAt(target)]}`);
    return [`  c${index}:`, ...lines].join("\n");
  });
  const reached = range(20).map((index) => `    c${index * 5 + (index % 2 === 0 ? 1 : 3)}: ${word(index)}`);
  return drawing(
    ["apiVersion: topology/v1", "stack: many", "domain: example.com"],
    [
      ["components:", components],
      ["links:", [...links, ["  mcp:", "    stack_agent: read", ...reached].join("\n")]],
    ],
    undefined,
  );
}

/** One small stack of a fleet. */
export function fleetMember(index: number): string {
  return drawing(
    ["apiVersion: topology/v1", `stack: s${index}`, "domain: example.com"],
    [
      [
        "components:",
        [
          "  valkey: {namespace: cache, keyspaces: {app: , session: }}",
          "  postgresql: {databases: {orders: {username: orders}}}",
          "  fastapi: {namespace: app}",
        ],
      ],
      [
        "links:",
        [
          "  fastapi:\n    valkey: readwrite\n    postgresql/orders: readwrite",
          `  mcp:\n    valkey: ${word(index)}\n    postgresql: read`,
        ],
      ],
    ],
    undefined,
  );
}
