import { defineOutput, factsOf } from "#hook";
import type credentialsHook from "../../hooks/credentials.ts";

/** `.sops.yaml`, so that `sops edit` and `sops updatekeys` do what the generator does. */
export default defineOutput({
  name: "credentials",
  files: (topology, facts) => {
    const { own, links } = factsOf<typeof credentialsHook>(facts, "credentials");
    const all = [...own, ...links.flatMap(({ credentials }) => credentials)];
    const isSealed = all.some(({ source }) => source.from !== "k8s" && source.from !== "external");
    const { recipients } = topology.server;
    if (!isSealed || recipients.length === 0) return [];
    const view = { recipients: [...new Set(recipients)].sort() };
    return [{ kind: "rendered", path: ".sops.yaml", from: "templates/credentials/sops.yaml.hbs", view }];
  },
});
