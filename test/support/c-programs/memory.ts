import { anyType, cast, expression, toInt, valueAs } from './expressions.ts';
import { index } from './leaves.ts';
import type { Scope } from './scope.ts';
import { isFloat, type Scalar } from './types.ts';

/** Statements about what lies in memory: pointers, arrays and records. */

export function store(s: Scope): void {
  s.emit(
    s.pick<() => string>([
      () => `((i16 *)mem)[${index(s, 32)}] = ${valueAs(s, 'i16')};`,
      () => `mem[${index(s, 64)}] = ${valueAs(s, 'u8')};`,
      () => `*(u64 *)(mem + 8 * ${index(s, 8)}) ^= ${cast('u64', expression(s, 2)).text};`,
      () => `fm[${index(s, 16)}] = ${valueAs(s, 'float')};`,
      () => `((i8 *)mem)[${index(s, 64)}] += ${toInt(expression(s, 2)).text};`,
      () => `fm[${index(s, 16)}] += ${valueAs(s, 'float')};`,
    ])(),
  );
}

/** Bytes of a table or of what is not written, copied, or filled; as many as is known or as is not. */
export function bulk(s: Scope): void {
  const from = s.pick(
    s.sources
      .filter((q) => q.type === 'u8')
      .map((q) => q.text)
      .concat('T8'),
  );
  const count = s.chance(0.5) ? `${s.below(14)}` : index(s, 14);
  const to = `mem + ${index(s, 48)}`;
  s.emit(
    s.chance(0.5)
      ? `__builtin_memcpy(${to}, ${from}, ${count});`
      : `__builtin_memset(${to}, ${toInt(expression(s, 1)).text}, ${count});`,
  );
}

const POINTED: readonly Scalar[] = ['u8', 'i8', 'i16', 'u16', 'i32', 'u32'];

export function pointer(s: Scope): void {
  const type = s.pick(POINTED);
  const name = s.name('p');
  const more = s.chance(0.5) ? ` + ${index(s, 8)}` : '';
  s.emit(`${type} *${name} = (${type} *)(mem + ${4 * s.below(8)})${more};`);
  if (s.chance(0.3)) s.emit(`__asm__("" : "+r"(${name}));`);
  s.pointers.push({ text: name, type });
}

/** A pointer that is moved, or what it points to is written; behind it the pointer stays within what there is. */
export function throughPointer(s: Scope): void {
  if (s.pointers.length === 0) return;
  const { text: p, type } = s.pick(s.pointers);
  const value = s.without([p], () => valueAs(s, type, 2));
  const v = s.writable();
  s.emit(
    s.pick([
      `*${p}++ = ${value};`,
      `*--${p} = ${value};`,
      `${p} += ${index(s, 5)};`,
      `${p}[${s.below(3)}] ${s.pick(['+=', '^=', '-=', '|='])} ${s.pick([3, 5])};`,
      `${p} -= ${s.below(4)};`,
      `(*${p})${s.pick(['++', '--'])};`,
      ...(v && !isFloat(v.type) ? [`${v.text} = ${p} - (${type} *)mem;`] : []),
    ]),
  );
  const start = `(${type} *)mem`;
  s.emit(`if (${p} > (${type} *)(mem + 200) || ${p} < ${start} + 6) ${p} = ${start} + 9;`);
}

export function record(s: Scope): void {
  const name = s.name('r');
  const short = (): string => valueAs(s, 'i16', 2);
  const first = valueAs(s, 'u8', 2);
  const lists = [`{${first}, {${short()}}, ${short()}}`, `{${first}}`, `{${first}, {1, ${short()}, 3}}`];
  s.emit(`pack ${name} = ${s.pick(lists)}, ${name}c;`);
  s.emit(`${name}c = ${name};`);
  s.emit(`${name}c.b[${index(s, 3)}] ${s.pick(['=', '+=', '-='])} ${short()};`);
  if (s.chance(0.3)) s.emit(`pack *${name}p = &${name}c; ${name}p->c++; ${name} = *${name}p;`);
  s.variables.push(
    { text: `${name}c.b[${s.below(3)}]`, type: 'i16' },
    { text: `${name}.a`, type: 'u8' },
    { text: `${name}c.c`, type: 'i16' },
  );
}

export function array(s: Scope): void {
  const name = s.name('t');
  const type = anyType(s);
  const value = (): string => valueAs(s, type, 1);
  if (s.chance(0.3)) {
    s.emit(`${type} ${name}[2][3] = {{${value()}}, {${value()}, ${value()}}};`);
    s.emit(`${name}[${index(s, 2)}][${index(s, 3)}] ${s.pick(['=', '+='])} ${valueAs(s, type, 2)};`);
    s.variables.push({ text: `${name}[1][${s.below(3)}]`, type });
    return;
  }
  const length = 3 + s.below(10);
  const values = Array.from({ length: 1 + s.below(length) }, value);
  s.emit(`${type} ${name}[${length}] = {${values.join(', ')}};`);
  if (s.chance(0.6)) s.emit(`${name}[${index(s, length)}] = ${valueAs(s, type, 2)};`);
  s.variables.push({ text: `${name}[${s.below(length)}]`, type });
}

export function union(s: Scope): void {
  const name = s.name('o');
  s.emit(`word ${name}; ${name}.f = clean(${expression(s, 2).text});`);
  if (s.chance(0.5)) s.emit(`${name}.h[${s.below(2)}] ^= ${s.below(30)};`);
  s.variables.push({ text: `${name}.u`, type: 'u32' }, { text: `${name}.h[1]`, type: 'u16' });
}
