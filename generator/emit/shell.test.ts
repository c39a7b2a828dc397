import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { shellWord } from "./shell.ts";
import { word } from "./word.ts";

const WORDS = ["app_db", "a b", "it's", "$HOME", "`id`", '"', "\\", "a\nb", "*", "~", "größe", "", "-n;id"];

it("a word reaches a program as it was, whatever is in it", () => {
  const command = `printf '%s\\0' ${WORDS.map(shellWord).join(" ")}`;
  const { stdout } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
  expect(stdout.split("\0").slice(0, -1)).toEqual(WORDS);
});

it("a word of a configuration file holds nothing that could end it", () => {
  expect(["prometheus.monitoring.svc:9090", "/api/v1", "[::1]", "a;b", "a b", "${x}"].map(trying)).toEqual([
    "prometheus.monitoring.svc:9090",
    "/api/v1",
    null,
    null,
    null,
    null,
  ]);
});

function trying(value: string): string | null {
  try {
    return word(value);
  } catch {
    return null;
  }
}
