import type { CommandFamily } from "#contract";

/** `kcat` to list what there is and to read a few messages; it joins no group, so that no offset moves. */
export const commands: CommandFamily = {
  install: [{ debian: "kcat" }],
  executables: [
    {
      name: "kcat",
      // An end at the last message, and an answer within seconds from a broker that is not there.
      always: ["-m", "5", "-q", "-e"],
      flags: [
        { names: ["-b"], value: { is: "address" } },
        { names: ["-t"], value: { is: "scope" } },
        { names: ["-L"] },
        { names: ["-J"] },
        { names: ["-C"] },
        { names: ["-e"] },
        { names: ["-c"], value: { is: "integer", min: 1, max: 100 } },
        { names: ["-o"], value: { is: "text", pattern: "^(beginning|end|-?\\d{1,9})$", max: 10 } },
        { names: ["-p"], value: { is: "integer", min: 0, max: 99_999 } },
      ],
      requires: ["-b"],
      forms: [{ operands: [] }],
    },
  ],
  checks: ["kcat -b {host}:{port} -L -J"],
};
