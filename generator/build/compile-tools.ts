/**
 * Finds, in a tool module, the slots, the tool names and everything that only write tools need, and records
 * where to cut. `generate` then joins pieces of text and never parses TypeScript.
 */
import { Node, Project, SyntaxKind } from "ts-morph";
import type { CallExpression, ImportDeclaration, SourceFile, Statement } from "ts-morph";
import type { Piece } from "../catalog/compiled.ts";

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

const SLOT_MODULE = "#runtime/slot";

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

/** A unit that is kept or cut as a whole: a statement, or one name of an import. */
interface Unit {
  readonly node: Node;
  readonly names: readonly string[];
  readonly uses: ReadonlySet<string>;
  readonly isRoot: boolean;
}

function isReference(identifier: Node): boolean {
  const parent = identifier.getParent();
  if (Node.isPropertyAccessExpression(parent)) return parent.getNameNode() !== identifier;
  if (Node.isPropertyAssignment(parent) || Node.isMethodDeclaration(parent))
    return parent.getNameNode() !== identifier;
  if (Node.isPropertySignature(parent) || Node.isMethodSignature(parent))
    return parent.getNameNode() !== identifier;
  if (Node.isBindingElement(parent)) return parent.getInitializer() === identifier;
  if (Node.isParameterDeclaration(parent)) return parent.getNameNode() !== identifier;
  if (Node.isQualifiedName(parent)) return parent.getRight() !== identifier;
  return true;
}

function referencesIn(node: Node, topLevel: ReadonlySet<string>, except: ReadonlySet<Node>): Set<string> {
  const uses = new Set<string>();
  for (const identifier of node.getDescendantsOfKind(SyntaxKind.Identifier)) {
    const name = identifier.getText();
    if (!topLevel.has(name) || uses.has(name) || except.has(identifier) || !isReference(identifier)) continue;
    uses.add(name);
  }
  return uses;
}

function declaredNames(statement: Statement): string[] {
  if (Node.isVariableStatement(statement)) return statement.getDeclarations().map((d) => d.getName());
  if (Node.isFunctionDeclaration(statement) || Node.isClassDeclaration(statement)) {
    const name = statement.getName();
    return name === undefined ? [] : [name];
  }
  if (Node.isInterfaceDeclaration(statement) || Node.isTypeAliasDeclaration(statement))
    return [statement.getName()];
  return [];
}

function importedNames(declaration: ImportDeclaration): { node: Node; name: string }[] {
  const names = declaration.getNamedImports().map((specifier) => ({
    node: specifier as Node,
    name: specifier.getAliasNode()?.getText() ?? specifier.getName(),
  }));
  const whole = declaration.getDefaultImport() ?? declaration.getNamespaceImport();
  return whole === undefined ? names : [...names, { node: declaration as Node, name: whole.getText() }];
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

function unitsOf(source: SourceFile, conditional: ReadonlySet<Node>): Unit[] {
  const statements = source.getStatements();
  const topLevel = new Set(
    statements.flatMap((statement) =>
      Node.isImportDeclaration(statement)
        ? importedNames(statement).map((n) => n.name)
        : declaredNames(statement),
    ),
  );
  return statements.flatMap((statement): Unit[] => {
    if (Node.isImportDeclaration(statement)) {
      if (statement.getModuleSpecifierValue() === SLOT_MODULE) return [];
      const names = importedNames(statement);
      if (names.length === 0) return [{ node: statement, names: [], uses: new Set(), isRoot: true }];
      return names.map(({ node, name }) => ({ node, names: [name], uses: new Set<string>(), isRoot: false }));
    }
    const names = declaredNames(statement);
    const isRoot = names.length === 0 || (Node.isExportable(statement) && statement.isExported());
    return [{ node: statement, names, uses: referencesIn(statement, topLevel, conditional), isRoot }];
  });
}

function reach(units: readonly Unit[], start: Iterable<Unit>): ReadonlySet<Unit> {
  const byName = new Map(units.flatMap((unit) => unit.names.map((name) => [name, unit] as const)));
  const seen = new Set<Unit>(start);
  for (const unit of seen) {
    for (const name of unit.uses) {
      const next = byName.get(name);
      if (next !== undefined) seen.add(next);
    }
  }
  return seen;
}

/** For each unit that only write tools reach, the names of those tools. */
function cutUnits(
  units: readonly Unit[],
  writes: ReadonlyMap<string, string>,
): ReadonlyMap<Unit, readonly string[]> {
  const kept = reach(
    units,
    units.filter((unit) => unit.isRoot),
  );
  const needs = new Map<Unit, string[]>();
  for (const [variable, tool] of writes) {
    const start = units.filter((unit) => unit.names.includes(variable));
    for (const unit of reach(units, start)) {
      if (!kept.has(unit)) needs.set(unit, [...(needs.get(unit) ?? []), tool]);
    }
  }
  return needs;
}

function elementEnd(element: Node): number {
  const comma = element.getNextSibling();
  return comma !== undefined && comma.getKind() === SyntaxKind.CommaToken ? comma.getEnd() : element.getEnd();
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly needs: readonly string[] | undefined;
}

/** Where conditional text starts and ends; an import whose names are all conditional goes as a whole. */
function rangesOf(
  source: SourceFile,
  units: readonly Unit[],
  cuts: ReadonlyMap<Unit, readonly string[]>,
): Range[] {
  const ranges: Range[] = [];
  const needsOf = new Map([...cuts].map(([unit, needs]) => [unit.node, needs]));
  for (const statement of source.getStatements()) {
    const whole = (needs: readonly string[] | undefined): Range => ({
      start: statement.getFullStart(),
      end: statement.getEnd(),
      needs,
    });
    if (!Node.isImportDeclaration(statement)) {
      const needs = needsOf.get(statement);
      if (needs !== undefined) ranges.push(whole(needs));
      continue;
    }
    if (statement.getModuleSpecifierValue() === SLOT_MODULE) {
      ranges.push(whole(undefined));
      continue;
    }
    const own = units.filter(
      (unit) =>
        unit.node === statement ||
        unit.node.getFirstAncestorByKind(SyntaxKind.ImportDeclaration) === statement,
    );
    const conditional = own.filter((unit) => cuts.has(unit));
    if (conditional.length === 0) continue;
    if (conditional.length === own.length) {
      ranges.push(whole([...new Set(conditional.flatMap((unit) => cuts.get(unit) ?? []))].sort()));
    } else {
      for (const unit of conditional) {
        ranges.push({
          start: unit.node.getFullStart(),
          end: elementEnd(unit.node),
          needs: cuts.get(unit) ?? [],
        });
      }
    }
  }
  return ranges;
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
  const units = unitsOf(source, new Set(conditionalElements.map(({ element }) => element)));
  const ranges = [
    ...rangesOf(source, units, cutUnits(units, writes)),
    ...conditionalElements.map(({ element, tool }) => ({
      start: element.getFullStart(),
      end: elementEnd(element),
      needs: [tool],
    })),
  ].sort((a, b) => a.start - b.start);
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
