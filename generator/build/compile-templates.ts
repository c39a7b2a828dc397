import Handlebars from "handlebars";

type AstNode = hbs.AST.Node;

const BLOCKS = ["each", "if", "unless", "with"];

/** A Handlebars file that could emit a value without escaping it, or that does not parse. */
export class TemplateLintError extends Error {
  constructor(path: string, at: AstNode, problem: string) {
    super(`${path}:${at.loc.start.line}:${at.loc.start.column + 1}: ${problem}`);
    this.name = "TemplateLintError";
  }
}

/** Every value must go through a helper that knows the language it lands in: a bare `{{x}}` is an error. */
class BareValueLint extends Handlebars.Visitor {
  readonly #path: string;
  readonly #helpers: ReadonlySet<string>;

  constructor(path: string, helpers: ReadonlySet<string>) {
    super();
    this.#path = path;
    this.#helpers = helpers;
  }

  override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
    const name = (mustache.path as hbs.AST.PathExpression).original;
    if (!this.#helpers.has(name) || mustache.params.length === 0) {
      throw new TemplateLintError(
        this.#path,
        mustache,
        `write {{helper ${name}}} with one of: ${[...this.#helpers].sort().join(", ")}`,
      );
    }
    super.MustacheStatement(mustache);
  }

  override BlockStatement(block: hbs.AST.BlockStatement): void {
    if (!BLOCKS.includes(block.path.original as string)) {
      throw new TemplateLintError(
        this.#path,
        block,
        `unknown block ${String(block.path.original)}: use ${BLOCKS.join(", ")}`,
      );
    }
    super.BlockStatement(block);
  }

  override PartialStatement(partial: hbs.AST.PartialStatement): void {
    throw new TemplateLintError(this.#path, partial, "partials are not used: one file shows one output");
  }
}

const PLACE = /,"loc":\{"start":\{"line":\d+,"column":\d+\},"end":\{"line":\d+,"column":\d+\}\}/g;
/** What a helper that is no block is told beside its value. */
const OPTIONS = /\{"name":"\w+","hash":\{\},"data":data\}/g;

/** Leaves out what Handlebars tells every helper and none of ours asks for: most of the code, and of its time. */
function withoutOptions(compiled: string): string {
  return compiled.replace(PLACE, "").replace(OPTIONS, "data");
}

/** JavaScript source of the compiled template; a stack's values are never compiled, only rendered. */
export function compileTemplate(path: string, text: string, helpers: readonly string[]): string {
  const ast = Handlebars.parse(text);
  new BareValueLint(path, new Set(helpers)).accept(ast);
  const known = Object.fromEntries([...helpers, ...BLOCKS].map((name) => [name, true]));
  return withoutOptions(
    String(
      Handlebars.precompile(ast, {
        strict: true,
        noEscape: true,
        knownHelpersOnly: true,
        knownHelpers: known,
      }),
    ),
  );
}
