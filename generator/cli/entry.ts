/**
 * Where the program starts: small, so that a run that has nothing to do costs little more than Node itself.
 * The program proper stands beside it and is loaded only when there is something to do.
 */
import { cacheFolder, recall } from "./no-change.ts";
import { print } from "./print.ts";
import { currentRequest, programFolder } from "./request.ts";

/** True when the last run's answer still holds; it has then been given again. */
function answeredFromRecord(): boolean {
  if (process.argv[2] !== "generate") return false;
  const request = currentRequest();
  const said = recall(cacheFolder(request.cwd, process.env), request, process.env);
  said?.forEach(print);
  return said !== undefined;
}

if (!answeredFromRecord())
  void import("./program.ts").then(({ loadProgram }) => loadProgram(programFolder()).run());
