import { Command } from "commander";
import catalog from "#catalog";
import type { AuditOptions } from "./audit.ts";
import type * as bundleCommands from "./bundle.ts";
import type { BundleOptions } from "./bundle.ts";
import type { BuildOptions } from "./bundle-build.ts";
import type { PullOptions } from "./bundle-pull.ts";
import type { ApproveOptions } from "./approve.ts";
import { runCatalog } from "./catalog.ts";
import { runGenerate } from "./generate.ts";
import { runPlan } from "./plan.ts";
import { runQuery } from "./query.ts";
import { runSchema } from "./schema.ts";
import type { KeygenOptions } from "./keygen.ts";
import type * as secretsCommands from "./secrets.ts";
import type { SecretsOptions } from "./secrets.ts";
import type { ServeOptions } from "./serve.ts";
import type { StatusOptions } from "./status.ts";
import { describeFailure, ExitCode } from "./terminal.ts";
import { runValidate } from "./validate.ts";

const FORMATS = "text, json, github, sarif or junit";

/** Runs the action and turns its exit code into the process's; an expected failure is one line on stderr. */
function action<A extends unknown[]>(run: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      process.exitCode = await run(...args);
    } catch (error) {
      process.stderr.write(`${describeFailure(error)}\n`);
      process.exitCode = ExitCode.unreadable;
    }
  };
}

function addSecrets(root: Command): void {
  const secrets = root
    .command("secrets")
    .description("credentials: their names and sources, never their values");
  const load = (): Promise<typeof secretsCommands> => import("./secrets.ts");
  const add = (name: string, description: string): Command =>
    secrets
      .command(name)
      .description(description)
      .option("--out <folder>", "where the outputs are")
      .option("--env <name>", "one environment only");
  secrets
    .command("keygen")
    .description("make a private key of age, and print the recipient that a stack file names")
    .option("--output <file>", "where it goes (default: where sops looks for it)")
    .action(
      action(async (options: KeygenOptions) => await (await import("./keygen.ts")).runSecretsKeygen(options)),
    );
  add("list", "what is needed, where it comes from, and what is sealed")
    .argument("[stack...]")
    .option("--json", "machine-readable")
    .action(
      action(async (names: string[], options: SecretsOptions) =>
        (await load()).runSecretsList(names, options),
      ),
    );
  add("check", "exit 1 for what is missing, unused, altered, or open to somebody who is not drawn")
    .argument("[stack...]")
    .option("--json", "machine-readable")
    .action(
      action(async (names: string[], options: SecretsOptions) =>
        (await load()).runSecretsCheck(names, options),
      ),
    );
  add("rotate", "seal with new data keys; make the named credentials anew")
    .argument("<stack>")
    .argument("[credential...]", "generated ones, such as MCP_API_KEY")
    .action(
      action(async (stack: string, names: string[], options: SecretsOptions) =>
        (await load()).runSecretsRotate(stack, names, options),
      ),
    );
  add("reseal", "seal anew from the sources, where the private key is not at hand")
    .argument("[stack...]")
    .action(
      action(async (names: string[], options: SecretsOptions) =>
        (await load()).runSecretsReseal(names, options),
      ),
    );
}

function addAudit(root: Command): void {
  root
    .command("audit")
    .description("what a server recorded")
    .command("verify")
    .description("exit 1 for records that were edited, deleted or moved, and for a tail that is missing")
    .argument(
      "<file...>",
      "as MCP_AUDIT_FILE names it, with those that were put aside; of replicas all files, or a folder with nothing else",
    )
    .option("--pub <file>", "public key in PEM: every anchor must be signed with its private half")
    .option("--anchor <file>", "the last anchor of one file, kept elsewhere (default: <file>.anchor)")
    .option("--heads <file>", "what the shared state has: valkey-cli HVALS mcp-state:<stack>:audit")
    .option("--partial", "older files were archived: the chain may begin anywhere")
    .option("--json", "machine-readable")
    .action(
      action(
        async (files: readonly string[], options: AuditOptions) =>
          await (await import("./audit.ts")).runAuditVerify(files, options),
      ),
    );
}

function addBundle(root: Command): void {
  const bundle = root.command("bundle").description("an output, signed as it was reviewed");
  const load = (): Promise<typeof bundleCommands> => import("./bundle.ts");
  const add = (name: string, description: string): Command =>
    bundle
      .command(name)
      .description(description)
      .argument("<stack>", "name of an output in out/")
      .option("--out <folder>", "where the outputs are", "out");
  add("sign", "sign the code and what it is held to: DSSE with Ed25519, or as cosign signs a file with P-256")
    .requiredOption("--key <file>", "private key in PEM")
    .option("--revision <number>", "grows with each release: pull then never goes back by itself")
    .action(
      action(async (stack: string, options: BundleOptions) => (await load()).runBundleSign(stack, options)),
    );
  add("verify", "exit 1 when the output is not what was signed with the key")
    .requiredOption("--pub <file>", "public key in PEM")
    .option("--bundle <file>", "default: beside the output")
    .action(
      action(async (stack: string, options: BundleOptions) => (await load()).runBundleVerify(stack, options)),
    );
  add("build", "write the signed output as an OCI image-layout; the same output gives the same bytes")
    .requiredOption("--pub <file>", "public key in PEM: nothing is built that is not signed with it")
    .requiredOption("--to <place>", "a folder, or a file that ends in .tar")
    .option("--bundle <file>", "default: beside the output")
    .action(
      action(async (stack: string, options: BuildOptions) =>
        (await import("./bundle-build.ts")).runBundleBuild(stack, options),
      ),
    );
  bundle
    .command("pull")
    .description(
      "verify a bundle, and then place the files that were signed; nothing is fetched over the network: copy it here first",
    )
    .requiredOption(
      "--from <place>",
      "an OCI image-layout, a folder with bundle.dsse.json, a tar or tgz of either, or what `oras pull` left",
    )
    .requiredOption("--key <file>", "public key in PEM, Ed25519 or P-256")
    .requiredOption("--to <folder>", "where the files go, all at once")
    .option("--allow-downgrade", "also an older revision than the one that is there")
    .action(
      action(async (options: PullOptions) => (await import("./bundle-pull.ts")).runBundlePull(options)),
    );
}

function program(): Command {
  const root = new Command("topogate")
    .description("Generates a governed MCP server from a drawing of a system: no link, no access.")
    .version(catalog.version);
  root
    .command("generate")
    .description("write out/<stack>/ for each stack: its base and every declared environment")
    .argument("[stack...]", "names or files; all of stacks/ when left out")
    .option("--check", "write nothing; exit 1 when the output is not up to date")
    .option("--dry-run", "write nothing; show what would change")
    .option("--force", "overwrite files that were edited by hand")
    .option("--strict", "warnings fail too, before anything is written")
    .option("--out <folder>", "where the outputs go (default: out/ beside stacks/)")
    .option("--env <name>", "one environment only")
    .option("--format <format>", `of the diagnostics: ${FORMATS}`, "text")
    .action(action(runGenerate));
  root
    .command("plan")
    .description("show which files would change, and what AI would gain and lose")
    .argument("[stack...]")
    .option("--out <folder>", "where the outputs are")
    .option("--env <name>", "one environment only")
    .option("--json", "machine-readable")
    .option("--detailed-exitcode", "exit 2 when there are changes")
    .action(action(runPlan));
  root
    .command("validate")
    .description("check stack files; nothing is generated")
    .argument("[stack...]")
    .option("--format <format>", FORMATS, "text")
    .option("--strict", "warnings fail too")
    .action(action(runValidate));
  root
    .command("catalog")
    .description("list the component types, or describe one")
    .argument("[type]")
    .option("--json", "machine-readable")
    .option("--markdown", "the page about all of them")
    .action(action(runCatalog));
  root
    .command("schema")
    .description("print the JSON Schema of stack files, for editors")
    .action(action(runSchema));
  addSecrets(root);
  addAudit(root);
  addBundle(root);
  root
    .command("query")
    .description("answer a query about a stack as its agent would, from the stack file")
    .argument("<stack>", "name or file of a stack")
    .argument("<query>", 'JSON such as {"source": "all"}; - reads it from stdin')
    .option("--env <name>", "of an environment instead of the base")
    .action(action(runQuery));
  root
    .command("status")
    .description(
      "how far an output is in the cluster whose objects stand on stdin (kubectl get -o json); exit 1 until Ready",
    )
    .argument("<stack>", "name of an output in out/")
    .option("--out <folder>", "where the outputs are", "out")
    .option(
      "--ingress-readiness <how>",
      "strict: the gateway must have taken the route; or permissive",
      "strict",
    )
    .option("--json", "machine-readable")
    .action(
      action(
        async (stack: string, options: StatusOptions) =>
          await (await import("./status.ts")).runStatus(stack, options),
      ),
    );
  root
    .command("approve")
    .description("decide about a write that an AI proposed; the key is read from TOPOGATE_API_KEY")
    .argument("[proposal]", "its id; without one, what waits is listed")
    .requiredOption("--server <url>", "where clients reach the server: https://mcp.example.com/mcp")
    .option("--list", "show what waits, with the exact arguments")
    .option("--reject", "say no")
    .option("--execute", "and execute it at once")
    .option("--json", "machine-readable")
    .action(
      action(
        async (id: string | undefined, options: ApproveOptions) =>
          await (await import("./approve.ts")).runApprove(id, options),
      ),
    );
  root
    .command("serve")
    .description("start the emitted server of a stack on loopback")
    .argument("<stack>", "name of an output in out/")
    .option("--out <folder>", "where the outputs are", "out")
    .option("--port <number>", "0 takes a free one", "8080")
    .option("--stdio", "speak MCP over stdin and stdout instead")
    .action(
      action(
        async (stack: string, options: ServeOptions) =>
          await (await import("./serve.ts")).runServe(stack, options),
      ),
    );
  return root;
}

// Emitted files have the same modes whoever generates them, whatever their mask is.
process.umask(0o022);
void program().parseAsync();
