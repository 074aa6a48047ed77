import type { Expression, Type } from './ast.ts';
import { constant } from './constants.ts';
import { parseAssignment } from './expressions.ts';
import { signatureOf } from './intrinsics.ts';
import * as nodes from './nodes.ts';
import { type Binding, CLOSE, COMMA, type Parser } from './parser.ts';
import { FLOAT } from './types.ts';

/** A call of a function or of an instruction; the next tokens are its name and a parenthesis. */
export function parseCall(p: Parser, binding: Binding | undefined): Expression {
  const at = p.at;
  const name = p.spelling(p.code);
  p.next();
  p.next();
  if (binding?.kind === 'function') {
    const called = binding.use();
    const parameters = called.parameters.map((v) => v.type);
    return { kind: 'call', type: called.result, function: called, args: parseArguments(p, name, parameters, at) };
  }
  if (binding) throw p.refused(`'${name}' is not a function`, at);
  if (name === '__builtin_inff') {
    p.expect(CLOSE);
    return constant(FLOAT, Number.POSITIVE_INFINITY);
  }
  if (name === '__builtin_nanf') {
    p.expectString('');
    p.expect(CLOSE);
    return { kind: 'intrinsic', type: FLOAT, name, args: [] };
  }
  const signature = signatureOf(name);
  if (!signature) throw p.refused(`'${name}' is not declared`, at);
  const args = parseArguments(p, name, signature.parameters, at);
  return { kind: 'intrinsic', type: signature.result, name, args };
}

function parseArguments(p: Parser, name: string, parameters: readonly Type[], at: number): Expression[] {
  const args: Expression[] = [];
  while (!p.accept(CLOSE)) {
    if (args.length > 0) p.expect(COMMA);
    const e = parseAssignment(p);
    const type = parameters[args.length];
    if (!type) throw p.refused(`'${name}' takes ${parameters.length} arguments`, at);
    args.push(nodes.convert(e, type));
  }
  if (args.length !== parameters.length) throw p.refused(`'${name}' takes ${parameters.length} arguments`, at);
  return args;
}
