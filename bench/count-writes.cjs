// Loaded before a process that is to be watched: tells file descriptor 3 what it opened for writing or changed.
const fs = require("node:fs");

const changed = [];
const CHANGING = [
  "appendFile",
  "chmod",
  "copyFile",
  "cp",
  "link",
  "mkdir",
  "mkdtemp",
  "rename",
  "rm",
  "rmdir",
  "symlink",
  "truncate",
  "unlink",
  "utimes",
  "writeFile",
];

function watch(name, isChange) {
  const original = fs[name];
  if (typeof original !== "function") return;
  fs[name] = (...args) => {
    if (isChange(args)) changed.push(`${name} ${String(args[0])}`);
    return original(...args);
  };
}

for (const name of CHANGING) for (const each of [name, `${name}Sync`]) watch(each, () => true);
for (const each of ["open", "openSync", "createWriteStream"])
  watch(each, ([, flags]) => flags !== undefined && flags !== "r" && flags !== 0);

process.on("exit", () => fs.writeSync(3, JSON.stringify(changed)));
