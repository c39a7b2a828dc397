import { defineHook } from "#hook";
import type { Topology } from "#hook";

type Link = Topology["links"][number];

export interface ServerLinks {
  /** From gateways: the ways in. */
  readonly gateways: readonly Link[];
  /** From what reads the server's metrics. */
  readonly scrapers: readonly Link[];
  /** From anything else, which then is a client within the cluster. */
  readonly clients: readonly Link[];
}

/** Types that read metrics, and nothing else, of what they are linked with. */
const SCRAPERS: ReadonlySet<string> = new Set(["prometheus"]);

/** Drawn links that end at the server, by what they mean; one that is switched off stays in the drawing only. */
export default defineHook({
  name: "server-links",
  derive: (topology, _facts, { types }): ServerLinks => {
    const drawn = topology.links.filter(
      ({ to, attributes }) => to.component.name === "mcp" && attributes["enabled"] !== false,
    );
    const isGateway = ({ from }: Link): boolean => types.get(from.component.type)?.gateway === true;
    const isScraper = ({ from }: Link): boolean => SCRAPERS.has(from.component.type);
    return {
      gateways: drawn.filter(isGateway),
      scrapers: drawn.filter(isScraper),
      clients: drawn.filter((link) => !isGateway(link) && !isScraper(link)),
    };
  },
});
