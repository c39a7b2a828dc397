import { defineComponent, text } from "#contract";

export default defineComponent({
  type: "cronjob",
  summary: "A job that runs on a schedule.",
  group: "backend",
  port: null,
  host: null,
  attributes: {
    image: text({ doc: "Container image." }),
    schedule: text({ doc: "When it runs, as a cron expression." }),
  },
  mcp: "never",
});
