/**
 * Finds, in a tool module, the slots, the tool names and everything that only write tools need, and records
 * where to cut. `generate` then joins pieces of text and never parses TypeScript.
 */
import { Node, Project, SyntaxKind } from "ts-morph";
import type { CallExpression, SourceFile } from "ts-morph";
import type { Piece } from "../catalog/compiled.ts";
import { conditionalRanges } from "./cut.ts";

/** A tool module that cannot be cut or filled; names the place in the template. */
export class TemplateError extends Error {
  constructor(path: string, node: Node, problem: string) {
    const { line, column } = node.getSourceFile().getLineAndColumnAtPos(node.getStart());
    super(`${path}:${line}:${column}: ${problem}`);
    this.name = "TemplateError";
  }
}

/** A part of the source that is replaced or cut; edits never overlap. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly piece: Piece | undefined;
}

function callsOf(source: SourceFile, name: string): CallExpression[] {
  return source
    .getDescendantsOfKind(SyntaxKind.CallExpression)
    .filter((call) => call.getExpression().getText() === name);
}

function literalArgument(path: string, call: CallExpression): string {
  const argument = call.getArguments()[0];
  if (argument === undefined || !Node.isStringLiteral(argument)) {
    throw new TemplateError(path, call, "the first argument must be a string literal");
  }
  return argument.getLiteralValue();
}

function slotEdits(path: string, source: SourceFile): Edit[] {
  return callsOf(source, "slot").map((call) => {
    const slot = literalArgument(path, call);
    const declaration = call.getParent();
    if (!Node.isVariableDeclaration(declaration) || declaration.getName() !== slot) {
      throw new TemplateError(
        path,
        call,
        `slot "${slot}" must be written: export const ${slot}: Type = slot("${slot}", sample)`,
      );
    }
    return { start: call.getStart(), end: call.getEnd(), piece: { slot } };
  });
}

function nameEdits(path: string, source: SourceFile, prefix: string): Edit[] {
  return callsOf(source, "named").map((call) => {
    const name = literalArgument(path, call);
    if (!name.startsWith(`${prefix}_`)) {
      throw new TemplateError(path, call, `"${name}" does not start with the prefix "${prefix}_"`);
    }
    const rest = name.slice(prefix.length);
    const span = call.getParent();
    // Inside a template literal the whole ${...} becomes plain text, so the emitted name can be searched for.
    return Node.isTemplateSpan(span)
      ? { start: call.getStart() - 2, end: call.getEnd() + 1, piece: { name: rest } }
      : { start: call.getStart(), end: call.getEnd(), piece: { name: rest, quoted: true } };
  });
}

/** The write tools: variables whose `defineTool` says another effect than `read`. */
function writeTools(path: string, source: SourceFile): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const call of callsOf(source, "defineTool")) {
    const declaration = call.getParent();
    const shape = call.getArguments()[0];
    if (!Node.isVariableDeclaration(declaration) || !Node.isObjectLiteralExpression(shape)) {
      throw new TemplateError(path, call, "a tool must be written: const name = defineTool({ ... })");
    }
    const value = (key: string): Node | undefined => {
      const property = shape.getProperty(key);
      return Node.isPropertyAssignment(property) ? property.getInitializer() : undefined;
    };
    const effect = value("effect");
    const name = value("name");
    if (!Node.isStringLiteral(effect)) throw new TemplateError(path, call, "effect must be a string literal");
    const toolName = Node.isCallExpression(name)
      ? literalArgument(path, name)
      : Node.isStringLiteral(name)
        ? name.getLiteralValue()
        : undefined;
    if (toolName === undefined) throw new TemplateError(path, call, "name must be a literal or named(...)");
    if (effect.getLiteralValue() !== "read") found.set(declaration.getName(), toolName);
  }
  return found;
}

/** The elements of `tools: [...]` in `defineModule`, by the variable they name. */
function listedTools(path: string, source: SourceFile): ReadonlyMap<string, Node> {
  const call = callsOf(source, "defineModule")[0];
  const shape = call?.getArguments()[0];
  const property = Node.isObjectLiteralExpression(shape) ? shape.getProperty("tools") : undefined;
  const array = Node.isPropertyAssignment(property) ? property.getInitializer() : undefined;
  if (!Node.isArrayLiteralExpression(array)) {
    throw new TemplateError(
      path,
      call ?? source,
      "write: export const tools = defineModule({ ..., tools: [a, b] })",
    );
  }
  return new Map(array.getElements().map((element) => [element.getText(), element]));
}

function piecesBetween(
  text: string,
  start: number,
  end: number,
  edits: readonly Edit[],
  needs: readonly string[] | undefined,
): Piece[] {
  const pieces: Piece[] = [];
  const tag = needs === undefined ? {} : { needs };
  let at = start;
  for (const edit of edits.filter((e) => e.start >= start && e.end <= end)) {
    if (edit.start > at) pieces.push({ ...tag, text: text.slice(at, edit.start) });
    if (edit.piece !== undefined) pieces.push({ ...tag, ...edit.piece });
    at = edit.end;
  }
  if (end > at) pieces.push({ ...tag, text: text.slice(at, end) });
  return pieces;
}

/** Splits the text of a tool module into pieces; joined without its write tools they are a complete module. */
export function compileTools(
  path: string,
  text: string,
  prefix: string,
): { pieces: readonly Piece[]; slots: readonly string[] } {
  const project = new Project({ useInMemoryFileSystem: true, skipFileDependencyResolution: true });
  const source = project.createSourceFile("tools.ts", text);
  const edits = [...slotEdits(path, source), ...nameEdits(path, source, prefix)].sort(
    (a, b) => a.start - b.start,
  );
  const writes = writeTools(path, source);
  const listed = listedTools(path, source);
  const conditionalElements = [...writes.keys()].map((variable) => {
    const element = listed.get(variable);
    if (element === undefined)
      throw new TemplateError(path, source, `write tool "${variable}" is not in the module's list of tools`);
    return { element, tool: writes.get(variable) ?? "" };
  });
  const ranges = conditionalRanges(source, writes, conditionalElements);
  const pieces: Piece[] = [];
  let at = 0;
  for (const range of ranges) {
    pieces.push(...piecesBetween(text, at, range.start, edits, undefined));
    if (range.needs !== undefined)
      pieces.push(...piecesBetween(text, range.start, range.end, edits, range.needs));
    at = range.end;
  }
  pieces.push(...piecesBetween(text, at, text.length, edits, undefined));
  return {
    pieces,
    slots: edits.flatMap((edit) => (edit.piece?.slot === undefined ? [] : [edit.piece.slot])),
  };
}
