import { foreignAnswer } from "#runtime/json-shape";

/** The figures of a metric without labels. */
function figure(metrics: string, name: string): number | null {
  const value = new RegExp(`^${name} (\\S{1,40})$`, "m").exec(metrics)?.[1];
  return value === undefined ? null : Number(value);
}

function timeAt(seconds: number | null): string | null {
  return seconds === null || !(seconds > 0 && seconds < 1e11) ? null : new Date(seconds * 1000).toISOString();
}

/**
 * What the server says about itself among its metrics. Its status would say it too, but only together with the
 * whole configuration, where the addresses and keys of receivers stand.
 */
export function statusOf(metrics: string): object {
  const version = /^alertmanager_build_info\{[^}\n]{0,500}?\bversion="([^"\n]{1,60})"/m.exec(metrics)?.[1];
  if (version === undefined) throw foreignAnswer();
  const started = figure(metrics, "process_start_time_seconds");
  return {
    version,
    started_at: timeAt(started),
    cluster: {
      enabled: figure(metrics, "alertmanager_cluster_enabled") === 1,
      members: figure(metrics, "alertmanager_cluster_members"),
      health_score: figure(metrics, "alertmanager_cluster_health_score"),
    },
    configuration: {
      reload_succeeded: figure(metrics, "alertmanager_config_last_reload_successful") === 1,
      reloaded_at: timeAt(figure(metrics, "alertmanager_config_last_reload_success_timestamp_seconds")),
    },
  };
}
