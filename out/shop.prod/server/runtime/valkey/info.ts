// Paths and addresses of the machine, and names of accounts, are of no use to a reader of metrics.
const HIDDEN =
  /^(executable|config_file|run_id|os|gcc_version|master_host|master_port|slave\d+|replica\d+|aof_filename)$/;

/** The lines of an INFO section as data: numbers parsed, `a=1,b=2` as an object, addresses left out. */
export function readInfo(text: string): Readonly<Record<string, unknown>> {
  const entries = text.split(/\r?\n/).flatMap((line): [string, unknown][] => {
    const colon = line.indexOf(":");
    if (line.startsWith("#") || colon < 1) return [];
    const name = line.slice(0, colon);
    return HIDDEN.test(name) ? [] : [[name, valueOf(line.slice(colon + 1))]];
  });
  return Object.fromEntries(entries);
}

function valueOf(text: string): unknown {
  if (/^-?\d{1,15}(\.\d+)?$/.test(text)) return Number(text);
  const pairs = text.split(",").map((pair) => pair.split("="));
  if (!pairs.every((pair) => pair.length === 2)) return text;
  return Object.fromEntries(pairs.map(([name = "", value = ""]) => [name, valueOf(value)]));
}
