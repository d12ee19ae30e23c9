/** State that belongs to nobody: what changes outside of every object and function. */
import ts from 'typescript';

/** Of what is made by `new`, what never changes once it is there. */
const unchanging = new Set(['NoPlan', 'RegExp', 'URL']);
const readOnlyType = /^(Readonly|readonly |\(readonly |Chain$)/;

/** Variables outside of every function that are assigned anew, or hold what can be filled: state that nobody has passed. */
export function stateOf(file: string, text: string): string[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lists = tree.statements.filter(ts.isVariableStatement).map(({ declarationList }) => declarationList);
  return lists.flatMap((list) => {
    const isConst = (list.flags & ts.NodeFlags.Const) !== 0;
    const changing = list.declarations.filter(
      ({ type, initializer }) => !isConst || (initializer && isFillable(initializer) && !isReadOnly(type)),
    );
    return changing.map(({ name }) => name.getText());
  });
}

const isReadOnly = (type: ts.TypeNode | undefined): boolean => type !== undefined && readOnlyType.test(type.getText());

function isFillable(value: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(value) || ts.isSatisfiesExpression(value)) return isFillable(value.expression);
  if (ts.isAsExpression(value)) return value.type.getText() !== 'const' && isFillable(value.expression);
  return (
    ts.isArrayLiteralExpression(value) || (ts.isNewExpression(value) && !unchanging.has(value.expression.getText()))
  );
}
