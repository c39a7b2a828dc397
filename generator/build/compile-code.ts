/**
 * Runs the built program once, on this repository's own stacks, and keeps what V8 compiled meanwhile: a start
 * then finds the functions that a run needs, instead of compiling them again.
 *
 * It is a process of its own, and plain Node, because V8 takes the code back only under the flags that it was
 * compiled with. Arguments: the folder of the program, the file to write, then those of the program.
 */
import { writeFileSync } from "node:fs";
import { loadProgram } from "../cli/program.ts";

const [folder = "", file = "", ...args] = process.argv.slice(2);
const { script, run } = loadProgram(folder);
process.argv.splice(2, process.argv.length, ...args);
process.on("exit", () => writeFileSync(file, script.createCachedData()));
run();
