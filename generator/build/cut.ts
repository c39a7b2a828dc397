/** Which parts of a tool module only its write tools reach, and where their text starts and ends. */
import { Node, SyntaxKind } from "ts-morph";
import type { ImportDeclaration, SourceFile, Statement } from "ts-morph";

/** Holds the marks of a template; emitted modules do not import it. */
const SLOT_MODULE = "#runtime/slot";

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

/** The ranges of the source that depend on write tools, and the import of the template's own marks. */
export function conditionalRanges(
  source: SourceFile,
  writes: ReadonlyMap<string, string>,
  elements: readonly { readonly element: Node; readonly tool: string }[],
): readonly Range[] {
  const units = unitsOf(source, new Set(elements.map(({ element }) => element)));
  return [
    ...rangesOf(source, units, cutUnits(units, writes)),
    ...elements.map(({ element, tool }) => ({
      start: element.getFullStart(),
      end: elementEnd(element),
      needs: [tool],
    })),
  ].sort((a, b) => a.start - b.start);
}
