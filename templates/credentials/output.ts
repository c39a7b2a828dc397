import { defineOutput, factsOf } from "#hook";
import type sealedSecretHook from "../../hooks/sealed-secret.ts";

/** `.sops.yaml`, so that `sops edit` and `sops updatekeys` do what the generator does. */
export default defineOutput({
  name: "credentials",
  files: (topology, facts) => {
    if (!factsOf<typeof sealedSecretHook>(facts, "sealed-secret").isSealed) return [];
    const view = { recipients: [...new Set(topology.server.recipients)].sort() };
    return [{ kind: "rendered", path: ".sops.yaml", from: "templates/credentials/sops.yaml.hbs", view }];
  },
});
