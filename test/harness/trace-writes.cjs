/**
 * Preloaded into a run: keeps all that the run writes to files, with the name of each, in the file that
 * TRACE_FILE names. It is on disk before the run goes on, so that a killed run leaves it whole.
 */
const fs = require("node:fs");

const trace = fs.openSync(process.env.TRACE_FILE, "a");
const { writeSync } = fs;
const note = (path, data) =>
  writeSync(
    trace,
    `${JSON.stringify({ path: String(path), data: Buffer.from(data ?? "").toString("base64") })}\n`,
  );

const writing = (flags) => typeof flags === "string" && /[wa+]/.test(flags);
const wrap = (name, record) => {
  const method = fs[name];
  fs[name] = (...args) => {
    record(...args);
    return method(...args);
  };
};
wrap("writeFileSync", note);
wrap("appendFileSync", note);
wrap("writeSync", (descriptor, data) => note(`descriptor ${descriptor}`, data));
wrap("openSync", (path, flags) => writing(flags) && note(path));
wrap("copyFileSync", (from, to) => note(to, fs.readFileSync(from)));
// Whatever else can write is not used by the program; a run that starts to must extend this list.
for (const name of [
  "writeFile",
  "appendFile",
  "write",
  "open",
  "createWriteStream",
  "copyFile",
  "cpSync",
  "writevSync",
])
  wrap(name, (path) => note(path, `TRACE: ${name} is not recorded`));
for (const name of ["writeFile", "appendFile", "open", "copyFile", "cp"]) {
  const method = fs.promises[name];
  fs.promises[name] = (...args) => {
    note(args[0], `TRACE: promises.${name} is not recorded`);
    return method(...args);
  };
}
