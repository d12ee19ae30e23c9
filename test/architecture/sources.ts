/** Source files as the rules of the house see them: what each imports, by which names, and which are in circles. */
import path from 'node:path';
import ts from 'typescript';

export interface Import {
  /** A file of ours, from the root; else the package's name. */
  readonly target: string;
  readonly isOwn: boolean;
  /** Nothing of it is there when the program runs. */
  readonly isType: boolean;
  /** What is taken of it; nothing where all of it is. */
  readonly names: readonly string[];
}

export interface Source {
  /** From the root. */
  readonly file: string;
  /** The comment at its head. */
  readonly header: string;
  readonly imports: readonly Import[];
  /** Names that are used, `Math.random` with its object. */
  readonly names: readonly string[];
}

/** Reads one file whose text is `text`. */
export function sourceOf(file: string, text: string): Source {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const names: string[] = [];
  const add = (specifier: ts.Node | undefined, isType: boolean, taken: readonly string[]): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    const isOwn = specifier.text.startsWith('.');
    const own = path.posix.join(path.posix.dirname(file), specifier.text).replace(/\.js$/, '.ts');
    imports.push({ target: isOwn ? own : specifier.text, isOwn, isType, names: taken });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const bound = clause?.namedBindings;
      const elements = bound && ts.isNamedImports(bound) ? [...bound.elements] : [];
      const isTypeAlone =
        clause !== undefined &&
        (clause.isTypeOnly || (elements.length > 0 && !clause.name && elements.every((each) => each.isTypeOnly)));
      const taken = clause?.name || elements.length === 0 ? [] : elements;
      add(
        node.moduleSpecifier,
        isTypeAlone,
        taken.filter((each) => !each.isTypeOnly).map((each) => (each.propertyName ?? each.name).text),
      );
      return;
    }
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly, []);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false, []);
    if (ts.isPropertyAccessExpression(node)) names.push(`${node.expression.getText()}.${node.name.text}`);
    if (ts.isIdentifier(node) && isUse(node)) names.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const header = /^\s*\/\*\*.*?\*\//s.exec(text)?.[0] ?? '';
  return { file, header, imports, names };
}

/** A name that stands for itself, not one that belongs to an object or a type. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  // A date that is made of a number is that number.
  if (ts.isNewExpression(parent) && node.text === 'Date') return (parent.arguments ?? []).length === 0;
  if (ts.isPropertyAccessExpression(parent))
    return parent.expression === node && parent.getText() !== 'Date.UTC' && parent.getText() !== 'Date.parse';
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !ts.isPropertySignature(parent) && !ts.isQualifiedName(parent) && !ts.isPropertyDeclaration(parent);
}

/** Files that import each other in a circle, types included: each circle as the files that are in it. */
export function circles(sources: readonly Source[]): string[][] {
  const byFile = new Map(sources.map((source) => [source.file, source]));
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  // Tarjan's strongly connected components.
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    open.push(file);
    for (const { target } of byFile.get(file)!.imports) {
      if (!byFile.has(target)) continue;
      if (!order.has(target)) visit(target);
      else if (!open.includes(target)) continue;
      lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const { file } of sources) if (!order.has(file)) visit(file);
  return found;
}

/** What reaches the world outside, or differs from one call to the next. */
const impure = new Set([
  'Date',
  'XMLHttpRequest',
  'WebSocket',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
  'Math.random',
]);

/** Packages that compute and do nothing else, and of Node's own what does so: all of it, or the names. */
const computing: Readonly<Record<string, readonly string[] | 'all'>> = {
  convict: 'all',
  yaml: 'all',
  'node:path': 'all',
  'node:path/posix': 'all',
  'node:crypto': ['createHash'],
  'node:util': ['isDeepStrictEqual'],
};

function impuritiesOf({ imports, names }: Source): string[] {
  const strange = imports.filter(({ target, isOwn, isType, names: taken }) => {
    if (isOwn || isType) return false;
    const allowed = computing[target];
    if (allowed === undefined) return true;
    return allowed !== 'all' && (taken.length === 0 || taken.some((name) => !allowed.includes(name)));
  });
  return [
    ...strange.map(({ target }) => `imports ${target}`),
    ...[...new Set(names.filter((name) => impure.has(name)))].map((name) => `uses ${name}`),
  ];
}

/**
 * What files that are to be pure touch, themselves or by what they import, however far down: each as the way there. Types are nothing
 * that runs.
 */
export function impurities(sources: readonly Source[], isPure: (source: Source) => boolean): string[] {
  const byFile = new Map(sources.map((source) => [source.file, source]));
  const found: string[] = [];
  for (const source of sources.filter(isPure)) {
    const seen = new Set([source.file]);
    const ways = [[source.file]];
    for (const way of ways) {
      const here = byFile.get(way.at(-1)!)!;
      for (const what of impuritiesOf(here)) found.push(`${way.join(' -> ')} ${what}`);
      for (const { target, isType } of here.imports) {
        if (isType || !byFile.has(target) || seen.has(target)) continue;
        seen.add(target);
        ways.push([...way, target]);
      }
    }
  }
  return found;
}
