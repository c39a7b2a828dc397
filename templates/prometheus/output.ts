import { defineOutput } from "#hook";

const TEMPLATE = "templates/prometheus/principal.md.hbs";

/** What to do about a service that knows no accounts. */
export default defineOutput({
  name: "prometheus",
  files: (_topology, _facts, { links }) =>
    links
      .filter(({ module }) => module.folder === "prometheus")
      .map(({ link: { component }, environment }) => ({
        kind: "rendered",
        path: `principals/${component.name}/prometheus.md`,
        from: TEMPLATE,
        view: {
          component: component.name,
          address: `${component.host ?? component.name}:${component.port ?? 9090}`,
          user: `${environment}_USER`,
          password: `${environment}_PASSWORD`,
          token: `${environment}_TOKEN`,
        },
      })),
});
